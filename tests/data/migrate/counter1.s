	.text
	.section	tc,"ax",@progbits
	.globl	count                           # -- Begin function count
	.p2align	3
	.type	count,@function
count:                                  # @count
.Lfunc_begin0:
# %bb.0:
	#DEBUG_VALUE: count:skb <- $r1
	r6 = r1
.Ltmp0:
.Ltmp1:
	#DEBUG_VALUE: count:skb <- $r6
	w1 = 0
.Ltmp2:
.Ltmp3:
.Ltmp4:
	*(u32 *)(r10 - 4) = w1
	r2 = r10
	r2 += -4
.Ltmp5:
	r1 = acc ll
	call 1
.Ltmp6:
.Ltmp7:
	#DEBUG_VALUE: count:value <- $r0
.Ltmp8:
	if r0 == 0 goto LBB0_2
.Ltmp9:
.Ltmp10:
# %bb.1:
	#DEBUG_VALUE: count:value <- $r0
	#DEBUG_VALUE: count:skb <- $r6
	w1 = 1
.Ltmp11:
.Ltmp12:
.Ltmp13:
	lock *(u32 *)(r0 + 0) += w1
.Ltmp14:
	w1 = *(u32 *)(r6 + 0)
	lock *(u64 *)(r0 + 8) += r1
	w1 = 7
.Ltmp15:
	*(u32 *)(r0 + 4) = w1
.Ltmp16:
.Ltmp17:
LBB0_2:
	#DEBUG_VALUE: count:value <- $r0
	#DEBUG_VALUE: count:skb <- $r6
.Ltmp18:
	w0 = 0
.Ltmp19:
.Ltmp20:
	exit
.Ltmp21:
.Ltmp22:
.Lfunc_end0:
	.size	count, .Lfunc_end0-count
                                        # -- End function
	.type	acc,@object                     # @acc
	.section	.maps,"aw",@progbits
	.globl	acc
	.p2align	3, 0x0
acc:
	.zero	40
	.size	acc, 40

	.type	_license,@object                # @_license
	.section	license,"aw",@progbits
	.globl	_license
_license:
	.asciz	"GPL"
	.size	_license, 4

	.section	.BTF,"",@progbits
	.short	60319                           # 0xeb9f
	.byte	1
	.byte	0
	.long	24
	.long	0
	.long	528
	.long	528
	.long	456
	.long	0                               # BTF_KIND_PTR(id = 1)
	.long	33554432                        # 0x2000000
	.long	3
	.long	1                               # BTF_KIND_INT(id = 2)
	.long	16777216                        # 0x1000000
	.long	4
	.long	16777248                        # 0x1000020
	.long	0                               # BTF_KIND_ARRAY(id = 3)
	.long	50331648                        # 0x3000000
	.long	0
	.long	2
	.long	4
	.long	2
	.long	5                               # BTF_KIND_INT(id = 4)
	.long	16777216                        # 0x1000000
	.long	4
	.long	32                              # 0x20
	.long	0                               # BTF_KIND_PTR(id = 5)
	.long	33554432                        # 0x2000000
	.long	6
	.long	25                              # BTF_KIND_TYPEDEF(id = 6)
	.long	134217728                       # 0x8000000
	.long	7
	.long	29                              # BTF_KIND_INT(id = 7)
	.long	16777216                        # 0x1000000
	.long	4
	.long	32                              # 0x20
	.long	0                               # BTF_KIND_PTR(id = 8)
	.long	33554432                        # 0x2000000
	.long	9
	.long	42                              # BTF_KIND_STRUCT(id = 9)
	.long	67108867                        # 0x4000003
	.long	16
	.long	48
	.long	6
	.long	0                               # 0x0
	.long	56
	.long	6
	.long	32                              # 0x20
	.long	65
	.long	10
	.long	64                              # 0x40
	.long	71                              # BTF_KIND_TYPEDEF(id = 10)
	.long	134217728                       # 0x8000000
	.long	11
	.long	75                              # BTF_KIND_INT(id = 11)
	.long	16777216                        # 0x1000000
	.long	8
	.long	64                              # 0x40
	.long	0                               # BTF_KIND_PTR(id = 12)
	.long	33554432                        # 0x2000000
	.long	13
	.long	0                               # BTF_KIND_ARRAY(id = 13)
	.long	50331648                        # 0x3000000
	.long	0
	.long	2
	.long	4
	.long	4
	.long	0                               # BTF_KIND_PTR(id = 14)
	.long	33554432                        # 0x2000000
	.long	15
	.long	0                               # BTF_KIND_ARRAY(id = 15)
	.long	50331648                        # 0x3000000
	.long	0
	.long	2
	.long	4
	.long	1
	.long	0                               # BTF_KIND_STRUCT(id = 16)
	.long	67108869                        # 0x4000005
	.long	40
	.long	94
	.long	1
	.long	0                               # 0x0
	.long	99
	.long	5
	.long	64                              # 0x40
	.long	42
	.long	8
	.long	128                             # 0x80
	.long	103
	.long	12
	.long	192                             # 0xc0
	.long	115
	.long	14
	.long	256                             # 0x100
	.long	123                             # BTF_KIND_VAR(id = 17)
	.long	234881024                       # 0xe000000
	.long	16
	.long	1
	.long	0                               # BTF_KIND_PTR(id = 18)
	.long	33554432                        # 0x2000000
	.long	19
	.long	127                             # BTF_KIND_STRUCT(id = 19)
	.long	67108865                        # 0x4000001
	.long	4
	.long	137
	.long	6
	.long	0                               # 0x0
	.long	0                               # BTF_KIND_FUNC_PROTO(id = 20)
	.long	218103809                       # 0xd000001
	.long	2
	.long	141
	.long	18
	.long	145                             # BTF_KIND_FUNC(id = 21)
	.long	201326593                       # 0xc000001
	.long	20
	.long	428                             # BTF_KIND_INT(id = 22)
	.long	16777216                        # 0x1000000
	.long	1
	.long	16777224                        # 0x1000008
	.long	0                               # BTF_KIND_ARRAY(id = 23)
	.long	50331648                        # 0x3000000
	.long	0
	.long	22
	.long	4
	.long	4
	.long	433                             # BTF_KIND_VAR(id = 24)
	.long	234881024                       # 0xe000000
	.long	23
	.long	1
	.long	442                             # BTF_KIND_DATASEC(id = 25)
	.long	251658241                       # 0xf000001
	.long	0
	.long	17
	.long	acc
	.long	40
	.long	448                             # BTF_KIND_DATASEC(id = 26)
	.long	251658241                       # 0xf000001
	.long	0
	.long	24
	.long	_license
	.long	4
	.byte	0                               # string offset=0
	.ascii	"int"                           # string offset=1
	.byte	0
	.ascii	"__ARRAY_SIZE_TYPE__"           # string offset=5
	.byte	0
	.ascii	"u32"                           # string offset=25
	.byte	0
	.ascii	"unsigned int"                  # string offset=29
	.byte	0
	.ascii	"value"                         # string offset=42
	.byte	0
	.ascii	"packets"                       # string offset=48
	.byte	0
	.ascii	"protocol"                      # string offset=56
	.byte	0
	.ascii	"bytes"                         # string offset=65
	.byte	0
	.ascii	"u64"                           # string offset=71
	.byte	0
	.ascii	"unsigned long long"            # string offset=75
	.byte	0
	.ascii	"type"                          # string offset=94
	.byte	0
	.ascii	"key"                           # string offset=99
	.byte	0
	.ascii	"max_entries"                   # string offset=103
	.byte	0
	.ascii	"pinning"                       # string offset=115
	.byte	0
	.ascii	"acc"                           # string offset=123
	.byte	0
	.ascii	"__sk_buff"                     # string offset=127
	.byte	0
	.ascii	"len"                           # string offset=137
	.byte	0
	.ascii	"skb"                           # string offset=141
	.byte	0
	.ascii	"count"                         # string offset=145
	.byte	0
	.ascii	"tc"                            # string offset=151
	.byte	0
	.ascii	"./counter.c"                   # string offset=154
	.byte	0
	.ascii	"__attribute__((section(\"tc\"), used)) int count(struct __sk_buff *skb)" # string offset=166
	.byte	0
	.ascii	"    u32 key = 0;"              # string offset=236
	.byte	0
	.ascii	"    struct value *value = lookup(&acc, &key);" # string offset=253
	.byte	0
	.ascii	"    if (value) {"              # string offset=299
	.byte	0
	.ascii	"        ADD(value->packets, 1);" # string offset=316
	.byte	0
	.ascii	"        ADD(value->bytes, skb->len);" # string offset=348
	.byte	0
	.ascii	"        value->protocol = 7;"  # string offset=385
	.byte	0
	.ascii	"    return 0;"                 # string offset=414
	.byte	0
	.ascii	"char"                          # string offset=428
	.byte	0
	.ascii	"_license"                      # string offset=433
	.byte	0
	.ascii	".maps"                         # string offset=442
	.byte	0
	.ascii	"license"                       # string offset=448
	.byte	0
	.section	.BTF.ext,"",@progbits
	.short	60319                           # 0xeb9f
	.byte	1
	.byte	0
	.long	32
	.long	0
	.long	20
	.long	20
	.long	140
	.long	160
	.long	0
	.long	8                               # FuncInfo
	.long	151                             # FuncInfo section string offset=151
	.long	1
	.long	.Lfunc_begin0
	.long	21
	.long	16                              # LineInfo
	.long	151                             # LineInfo section string offset=151
	.long	8
	.long	.Lfunc_begin0
	.long	154
	.long	166
	.long	46080                           # Line 45 Col 0
	.long	.Ltmp4
	.long	154
	.long	236
	.long	48137                           # Line 47 Col 9
	.long	.Ltmp5
	.long	154
	.long	253
	.long	49179                           # Line 48 Col 27
	.long	.Ltmp8
	.long	154
	.long	299
	.long	51209                           # Line 50 Col 9
	.long	.Ltmp13
	.long	154
	.long	316
	.long	52233                           # Line 51 Col 9
	.long	.Ltmp14
	.long	154
	.long	348
	.long	53257                           # Line 52 Col 9
	.long	.Ltmp15
	.long	154
	.long	385
	.long	54297                           # Line 53 Col 25
	.long	.Ltmp18
	.long	154
	.long	414
	.long	56325                           # Line 55 Col 5
	.addrsig_sym count
	.addrsig_sym acc
	.addrsig_sym _license
