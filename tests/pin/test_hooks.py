"""The list of a hook: places in it as the kernel gives them, and what a sweep finishes after a kill."""

import os

import pytest

from toolchain.errors import LoadError, errno_name
from toolchain.pin import ObjectStore, hooks
from toolchain.pin.check import check
from toolchain.pin.hooks import Entry, HookList
from toolchain.spec.runtime import Order

THREE = HookList(4, (Entry(1, 11), Entry(2, 12), Entry(3, 13)))
FULL = HookList(64, tuple(Entry(each, 100 + each) for each in range(1, 64)))
NEW = Entry(9, 19)


@pytest.mark.parametrize(
    ("now", "order", "answer"),
    [
        (HookList(), Order(), "2: 9"),
        (HookList(), Order(revision=1), "2: 9"),
        (HookList(), Order(revision=2), "ESTALE"),
        (HookList(), Order(is_before=True, relative_id=11), "ENOENT"),
        (THREE, Order(), "5: 1 2 3 9"),
        (THREE, Order(is_after=True), "5: 1 2 3 9"),
        (THREE, Order(is_before=True), "5: 9 1 2 3"),
        (THREE, Order(is_before=True, relative_id=12), "5: 1 9 2 3"),
        (THREE, Order(is_after=True, relative_id=12), "5: 1 2 9 3"),
        (THREE, Order(is_after=True, relative_id=13, revision=4), "5: 1 2 3 9"),
        (THREE, Order(is_before=True, relative_id=1, is_link=True), "5: 9 1 2 3"),
        (THREE, Order(is_after=True, relative_id=3, is_link=True), "5: 1 2 3 9"),
        (THREE, Order(is_before=True, relative_id=1), "ENOENT"),
        (THREE, Order(is_before=True, relative_id=11, is_link=True), "ENOENT"),
        (THREE, Order(relative_id=11), "EINVAL"),
        (THREE, Order(is_before=True, is_after=True), "ERANGE"),
        (THREE, Order(is_before=True, is_after=True, relative_id=11), "ERANGE"),
        (THREE, Order(is_before=True, relative_id=11, revision=5), "ESTALE"),
        (FULL, Order(), "ERANGE"),
    ],
)
def test_place(now: HookList, order: Order, answer: str) -> None:
    assert shown(now, order) == answer


def shown(now: HookList, order: Order) -> str:
    try:
        found = hooks.placed(now, NEW, order)
    except LoadError as error:
        return errno_name(error.errno)
    return f"{found.revision}: {' '.join(str(entry.link_id) for entry in found.entries)}"


def test_a_program_is_on_a_hook_once() -> None:
    with pytest.raises(LoadError) as caught:
        hooks.placed(THREE, Entry(9, 12), Order())
    assert caught.value.errno == 17


class Tree:
    """A tree with programs 1..4 and links on ``eth0/ingress``, all held here."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self.root = store.root
        self.hook = hooks.make_hook(store.root, "eth0", "ingress")
        self.programs = [store.create("prog", "p", b"", 8) for _ in range(4)]
        self.links = []

    def attach(self, program: int, order: Order | None = None) -> int:
        data = hooks.note(program)
        stored = self.store.create(
            "link", "l", b"eth0/ingress", 8, [self.programs[program - 1]], prepare=lambda made: made.write(data)
        )
        self.links.append(stored)
        hooks.attach(self.hook, Entry(stored.id, program), order or Order())
        return stored.id

    def edges(self, link: int) -> list[str]:
        return sorted(os.listdir(f"{self.root}/.bpf/refs/link{link}"))

    def note(self, link: int) -> int:
        with self.store.by_id("link", link) as stored:
            return hooks.note_of(stored.read())

    def findings(self) -> list[str]:
        return [str(each) for each in check(self.store, {})]


@pytest.fixture
def tree(store: ObjectStore) -> Tree:
    return Tree(store)


def test_a_killed_update_is_finished_by_the_next_command(tree: Tree, monkeypatch) -> None:
    link = tree.attach(1)
    monkeypatch.setattr(hooks, "_settle", lambda root, entry: None)
    hooks.replace(tree.hook, link, 2)
    monkeypatch.undo()
    assert tree.edges(link) == ["prog1", "prog2"]
    assert tree.note(link) == 1
    assert tree.findings() == [f".bpf/refs/link{link}: an update of it was killed"]
    tree.store.reap()
    assert tree.edges(link) == ["prog2"]
    assert tree.note(link) == 2
    assert tree.findings() == []
    assert hooks.read(tree.hook) == HookList(3, (Entry(link, 2),))


def test_an_update_killed_before_its_rename_never_was(tree: Tree, monkeypatch) -> None:
    link = tree.attach(1)

    def dies(hook, new):
        raise KeyboardInterrupt

    monkeypatch.setattr(hooks, "_write", dies)
    with pytest.raises(KeyboardInterrupt):
        hooks.replace(tree.hook, link, 2)
    monkeypatch.undo()
    assert tree.edges(link) == ["prog1", "prog2"]
    tree.store.reap()
    assert tree.edges(link) == ["prog1"]
    assert hooks.read(tree.hook) == HookList(2, (Entry(link, 1),))


def test_dead_links_are_not_on_the_list_and_soon_not_in_the_file(tree: Tree) -> None:
    for program in (1, 2, 3):
        tree.attach(program)
    tree.links[1].close()
    assert hooks.read(tree.hook) == HookList(5, (Entry(1, 1), Entry(3, 3)))
    assert len(hooks.stored_list(tree.hook).entries) == 3
    assert [each for each in tree.findings() if "link2 is on it, and dead" in each]
    tree.store.reap()
    assert hooks.stored_list(tree.hook) == HookList(5, (Entry(1, 1), Entry(3, 3)))
    assert tree.findings() == []


def test_what_a_killed_publisher_staged_holds_no_link(tree: Tree) -> None:
    tree.attach(1)
    os.mkdir(f"{tree.root}/.bpf/stage/dead")
    os.link(f"{tree.root}/.bpf/objs/link1", f"{tree.root}/.bpf/stage/dead/0")
    tree.links[0].close()
    assert hooks.read(tree.hook) == HookList()


def test_a_dead_link_makes_room(tree: Tree) -> None:
    tree.attach(1)
    tree.links[0].close()
    tree.attach(1, Order(revision=1))
    assert hooks.stored_list(tree.hook) == HookList(2, (Entry(2, 1),))


def test_the_last_one_leaves_nothing_behind(tree: Tree) -> None:
    link = tree.attach(1)
    hooks.detach(tree.hook, link)
    hooks.detach(tree.hook, link)
    assert os.listdir(f"{tree.root}/.bpf/hooks") == []
    assert hooks.read(tree.hook) == HookList()


def test_what_a_kill_leaves_of_a_first_attachment_goes(tree: Tree) -> None:
    os.makedirs(f"{tree.root}/.bpf/hooks/eth0")
    with open(f"{tree.root}/.bpf/hooks/eth0/ingress.new", "w") as file:
        file.write("bpf-h")
    tree.store.reap()
    assert os.listdir(f"{tree.root}/.bpf/hooks") == []


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("bpf-hook 1 3\n1 1\n2 1\n", "the same program twice"),
        ("bpf-hook 1 2\n1 2\n", "link1 does not keep prog2 alive"),
        ("bpf-hook 1 2\n7 1\n", "link7 is on it, and dead"),
        ("bpf-hook 1 x\n", "list of attached programs damaged"),
    ],
)
def test_the_check_finds(tree: Tree, text: str, finding: str) -> None:
    tree.attach(1)
    with open(f"{tree.root}/.bpf/hooks/eth0/ingress", "w") as file:
        file.write(text)
    assert [each for each in tree.findings() if finding in each]


def test_the_check_finds_a_link_on_another_hook(tree: Tree) -> None:
    tree.attach(1)
    os.rename(f"{tree.root}/.bpf/hooks/eth0/ingress", f"{tree.root}/.bpf/hooks/eth0/egress")
    assert [each for each in tree.findings() if "link1 is not of this hook, but of eth0/ingress" in each]
