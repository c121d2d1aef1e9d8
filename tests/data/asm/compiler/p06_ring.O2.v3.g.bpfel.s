	.text
	.file	"p06_ring.c"
	.file	0 "/src" "p06_ring.c" md5 0xf24a8e2ea1ff8026e5e2c74188f98739
	.file	1 "." "common.h" md5 0x07c1601c0d80da245a511916dbefdff8
	.file	2 "/usr/include/asm-generic" "int-ll64.h" md5 0xb810f270733e106319b67ef512c6246e
	.file	3 "/usr/include/bpf" "bpf_helper_defs.h" md5 0xba0039f6acc4710a5f4349e628ddfb60
	.section	"tracepoint/syscalls/sys_enter_openat","ax",@progbits
	.globl	tp                              # -- Begin function tp
	.p2align	3
	.type	tp,@function
tp:                                     # @tp
.Lfunc_begin0:
	.loc	0 4 0                           # p06_ring.c:4:0
	.cfi_sections .debug_frame
	.cfi_startproc
# %bb.0:
	r8 = 0
.Ltmp0:
	.loc	0 4 75 prologue_end             # p06_ring.c:4:75
.Ltmp1:
.Ltmp2:
	r1 = rb ll
	r2 = 96
	r3 = 0
	call 131
.Ltmp3:
	r6 = r0
.Ltmp4:
.Ltmp5:
	#DEBUG_VALUE: tp:e <- $r6
	.loc	0 4 116 is_stmt 0               # p06_ring.c:4:116
.Ltmp6:
	if r6 == 0 goto LBB0_2
.Ltmp7:
.Ltmp8:
# %bb.1:
	#DEBUG_VALUE: tp:e <- $r6
	.loc	0 4 138                         # p06_ring.c:4:138
.Ltmp9:
	call 14
.Ltmp10:
	r7 = r0
.Ltmp11:
.Ltmp12:
	#DEBUG_VALUE: tp:id <- $r7
	.loc	0 4 213                         # p06_ring.c:4:213
.Ltmp13:
	r9 = r7
	r9 >>= 32
	.loc	0 4 172                         # p06_ring.c:4:172
.Ltmp14:
	call 5
.Ltmp15:
	.loc	0 4 210                         # p06_ring.c:4:210
.Ltmp16:
	*(u32 *)(r6 + 12) = w9
	.loc	0 4 198                         # p06_ring.c:4:198
.Ltmp17:
	*(u32 *)(r6 + 8) = w7
	.loc	0 4 171                         # p06_ring.c:4:171
.Ltmp18:
	*(u64 *)(r6 + 0) = r0
	.loc	0 4 243                         # p06_ring.c:4:243
.Ltmp19:
	r1 = r6
	r1 += 16
	.loc	0 4 219                         # p06_ring.c:4:219
.Ltmp20:
	w2 = 16
	call 16
.Ltmp21:
	.loc	0 4 265                         # p06_ring.c:4:265
.Ltmp22:
	*(u64 *)(r6 + 32) = r8
	*(u64 *)(r6 + 40) = r8
	*(u64 *)(r6 + 48) = r8
	*(u64 *)(r6 + 56) = r8
	*(u64 *)(r6 + 64) = r8
	*(u64 *)(r6 + 72) = r8
	*(u64 *)(r6 + 80) = r8
	*(u64 *)(r6 + 88) = r8
	.loc	0 4 309                         # p06_ring.c:4:309
.Ltmp23:
	r1 = r6
	r2 = 0
	call 132
.Ltmp24:
.Ltmp25:
LBB0_2:
	#DEBUG_VALUE: tp:e <- $r6
	.loc	0 4 344                         # p06_ring.c:4:344
.Ltmp26:
	w0 = 0
	exit
.Ltmp27:
.Ltmp28:
.Lfunc_end0:
	.size	tp, .Lfunc_end0-tp
	.cfi_endproc
                                        # -- End function
	.type	LICENSE,@object                 # @LICENSE
	.section	license,"aw",@progbits
	.globl	LICENSE
LICENSE:
	.asciz	"GPL"
	.size	LICENSE, 4

	.type	rb,@object                      # @rb
	.section	.maps,"aw",@progbits
	.globl	rb
	.p2align	3, 0x0
rb:
	.zero	16
	.size	rb, 16

	.section	.debug_loclists,"",@progbits
	.long	.Ldebug_list_header_end0-.Ldebug_list_header_start0 # Length
.Ldebug_list_header_start0:
	.short	5                               # Version
	.byte	8                               # Address size
	.byte	0                               # Segment selector size
	.long	2                               # Offset entry count
.Lloclists_table_base0:
	.long	.Ldebug_loc0-.Lloclists_table_base0
	.long	.Ldebug_loc1-.Lloclists_table_base0
.Ldebug_loc0:
	.byte	4                               # DW_LLE_offset_pair
	.uleb128 .Ltmp4-.Lfunc_begin0           #   starting offset
	.uleb128 .Lfunc_end0-.Lfunc_begin0      #   ending offset
	.byte	1                               # Loc expr size
	.byte	86                              # DW_OP_reg6
	.byte	0                               # DW_LLE_end_of_list
.Ldebug_loc1:
	.byte	4                               # DW_LLE_offset_pair
	.uleb128 .Ltmp11-.Lfunc_begin0          #   starting offset
	.uleb128 .Ltmp24-.Lfunc_begin0          #   ending offset
	.byte	1                               # Loc expr size
	.byte	87                              # DW_OP_reg7
	.byte	0                               # DW_LLE_end_of_list
.Ldebug_list_header_end0:
	.section	.debug_abbrev,"",@progbits
	.byte	1                               # Abbreviation Code
	.byte	17                              # DW_TAG_compile_unit
	.byte	1                               # DW_CHILDREN_yes
	.byte	37                              # DW_AT_producer
	.byte	37                              # DW_FORM_strx1
	.byte	19                              # DW_AT_language
	.byte	5                               # DW_FORM_data2
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	114                             # DW_AT_str_offsets_base
	.byte	23                              # DW_FORM_sec_offset
	.byte	16                              # DW_AT_stmt_list
	.byte	23                              # DW_FORM_sec_offset
	.byte	27                              # DW_AT_comp_dir
	.byte	37                              # DW_FORM_strx1
	.byte	17                              # DW_AT_low_pc
	.byte	27                              # DW_FORM_addrx
	.byte	18                              # DW_AT_high_pc
	.byte	6                               # DW_FORM_data4
	.byte	115                             # DW_AT_addr_base
	.byte	23                              # DW_FORM_sec_offset
	.ascii	"\214\001"                      # DW_AT_loclists_base
	.byte	23                              # DW_FORM_sec_offset
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	2                               # Abbreviation Code
	.byte	52                              # DW_TAG_variable
	.byte	0                               # DW_CHILDREN_no
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	63                              # DW_AT_external
	.byte	25                              # DW_FORM_flag_present
	.byte	58                              # DW_AT_decl_file
	.byte	11                              # DW_FORM_data1
	.byte	59                              # DW_AT_decl_line
	.byte	11                              # DW_FORM_data1
	.byte	2                               # DW_AT_location
	.byte	24                              # DW_FORM_exprloc
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	3                               # Abbreviation Code
	.byte	1                               # DW_TAG_array_type
	.byte	1                               # DW_CHILDREN_yes
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	4                               # Abbreviation Code
	.byte	33                              # DW_TAG_subrange_type
	.byte	0                               # DW_CHILDREN_no
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	55                              # DW_AT_count
	.byte	11                              # DW_FORM_data1
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	5                               # Abbreviation Code
	.byte	36                              # DW_TAG_base_type
	.byte	0                               # DW_CHILDREN_no
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	62                              # DW_AT_encoding
	.byte	11                              # DW_FORM_data1
	.byte	11                              # DW_AT_byte_size
	.byte	11                              # DW_FORM_data1
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	6                               # Abbreviation Code
	.byte	36                              # DW_TAG_base_type
	.byte	0                               # DW_CHILDREN_no
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	11                              # DW_AT_byte_size
	.byte	11                              # DW_FORM_data1
	.byte	62                              # DW_AT_encoding
	.byte	11                              # DW_FORM_data1
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	7                               # Abbreviation Code
	.byte	19                              # DW_TAG_structure_type
	.byte	1                               # DW_CHILDREN_yes
	.byte	11                              # DW_AT_byte_size
	.byte	11                              # DW_FORM_data1
	.byte	58                              # DW_AT_decl_file
	.byte	11                              # DW_FORM_data1
	.byte	59                              # DW_AT_decl_line
	.byte	11                              # DW_FORM_data1
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	8                               # Abbreviation Code
	.byte	13                              # DW_TAG_member
	.byte	0                               # DW_CHILDREN_no
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	58                              # DW_AT_decl_file
	.byte	11                              # DW_FORM_data1
	.byte	59                              # DW_AT_decl_line
	.byte	11                              # DW_FORM_data1
	.byte	56                              # DW_AT_data_member_location
	.byte	11                              # DW_FORM_data1
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	9                               # Abbreviation Code
	.byte	15                              # DW_TAG_pointer_type
	.byte	0                               # DW_CHILDREN_no
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	10                              # Abbreviation Code
	.byte	33                              # DW_TAG_subrange_type
	.byte	0                               # DW_CHILDREN_no
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	55                              # DW_AT_count
	.byte	6                               # DW_FORM_data4
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	11                              # Abbreviation Code
	.byte	52                              # DW_TAG_variable
	.byte	0                               # DW_CHILDREN_no
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	58                              # DW_AT_decl_file
	.byte	11                              # DW_FORM_data1
	.byte	59                              # DW_AT_decl_line
	.byte	5                               # DW_FORM_data2
	.byte	28                              # DW_AT_const_value
	.byte	15                              # DW_FORM_udata
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	12                              # Abbreviation Code
	.byte	21                              # DW_TAG_subroutine_type
	.byte	1                               # DW_CHILDREN_yes
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	39                              # DW_AT_prototyped
	.byte	25                              # DW_FORM_flag_present
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	13                              # Abbreviation Code
	.byte	5                               # DW_TAG_formal_parameter
	.byte	0                               # DW_CHILDREN_no
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	14                              # Abbreviation Code
	.byte	15                              # DW_TAG_pointer_type
	.byte	0                               # DW_CHILDREN_no
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	15                              # Abbreviation Code
	.byte	22                              # DW_TAG_typedef
	.byte	0                               # DW_CHILDREN_no
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	58                              # DW_AT_decl_file
	.byte	11                              # DW_FORM_data1
	.byte	59                              # DW_AT_decl_line
	.byte	11                              # DW_FORM_data1
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	16                              # Abbreviation Code
	.byte	21                              # DW_TAG_subroutine_type
	.byte	0                               # DW_CHILDREN_no
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	39                              # DW_AT_prototyped
	.byte	25                              # DW_FORM_flag_present
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	17                              # Abbreviation Code
	.byte	52                              # DW_TAG_variable
	.byte	0                               # DW_CHILDREN_no
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	58                              # DW_AT_decl_file
	.byte	11                              # DW_FORM_data1
	.byte	59                              # DW_AT_decl_line
	.byte	11                              # DW_FORM_data1
	.byte	28                              # DW_AT_const_value
	.byte	15                              # DW_FORM_udata
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	18                              # Abbreviation Code
	.byte	21                              # DW_TAG_subroutine_type
	.byte	1                               # DW_CHILDREN_yes
	.byte	39                              # DW_AT_prototyped
	.byte	25                              # DW_FORM_flag_present
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	19                              # Abbreviation Code
	.byte	46                              # DW_TAG_subprogram
	.byte	1                               # DW_CHILDREN_yes
	.byte	17                              # DW_AT_low_pc
	.byte	27                              # DW_FORM_addrx
	.byte	18                              # DW_AT_high_pc
	.byte	6                               # DW_FORM_data4
	.byte	64                              # DW_AT_frame_base
	.byte	24                              # DW_FORM_exprloc
	.byte	122                             # DW_AT_call_all_calls
	.byte	25                              # DW_FORM_flag_present
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	58                              # DW_AT_decl_file
	.byte	11                              # DW_FORM_data1
	.byte	59                              # DW_AT_decl_line
	.byte	11                              # DW_FORM_data1
	.byte	39                              # DW_AT_prototyped
	.byte	25                              # DW_FORM_flag_present
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	63                              # DW_AT_external
	.byte	25                              # DW_FORM_flag_present
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	20                              # Abbreviation Code
	.byte	5                               # DW_TAG_formal_parameter
	.byte	0                               # DW_CHILDREN_no
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	58                              # DW_AT_decl_file
	.byte	11                              # DW_FORM_data1
	.byte	59                              # DW_AT_decl_line
	.byte	11                              # DW_FORM_data1
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	21                              # Abbreviation Code
	.byte	52                              # DW_TAG_variable
	.byte	0                               # DW_CHILDREN_no
	.byte	2                               # DW_AT_location
	.byte	34                              # DW_FORM_loclistx
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	58                              # DW_AT_decl_file
	.byte	11                              # DW_FORM_data1
	.byte	59                              # DW_AT_decl_line
	.byte	11                              # DW_FORM_data1
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	22                              # Abbreviation Code
	.byte	19                              # DW_TAG_structure_type
	.byte	1                               # DW_CHILDREN_yes
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	11                              # DW_AT_byte_size
	.byte	11                              # DW_FORM_data1
	.byte	58                              # DW_AT_decl_file
	.byte	11                              # DW_FORM_data1
	.byte	59                              # DW_AT_decl_line
	.byte	11                              # DW_FORM_data1
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	0                               # EOM(3)
	.section	.debug_info,"",@progbits
.Lcu_begin0:
	.long	.Ldebug_info_end0-.Ldebug_info_start0 # Length of Unit
.Ldebug_info_start0:
	.short	5                               # DWARF version number
	.byte	1                               # DWARF Unit Type
	.byte	8                               # Address Size (in bytes)
	.long	.debug_abbrev                   # Offset Into Abbrev. Section
	.byte	1                               # Abbrev [1] 0xc:0x1a6 DW_TAG_compile_unit
	.byte	0                               # DW_AT_producer
	.short	29                              # DW_AT_language
	.byte	1                               # DW_AT_name
	.long	.Lstr_offsets_base0             # DW_AT_str_offsets_base
	.long	.Lline_table_start0             # DW_AT_stmt_list
	.byte	2                               # DW_AT_comp_dir
	.byte	2                               # DW_AT_low_pc
	.long	.Lfunc_end0-.Lfunc_begin0       # DW_AT_high_pc
	.long	.Laddr_table_base0              # DW_AT_addr_base
	.long	.Lloclists_table_base0          # DW_AT_loclists_base
	.byte	2                               # Abbrev [2] 0x27:0xb DW_TAG_variable
	.byte	3                               # DW_AT_name
	.long	50                              # DW_AT_type
                                        # DW_AT_external
	.byte	1                               # DW_AT_decl_file
	.byte	11                              # DW_AT_decl_line
	.byte	2                               # DW_AT_location
	.byte	161
	.byte	0
	.byte	3                               # Abbrev [3] 0x32:0xc DW_TAG_array_type
	.long	62                              # DW_AT_type
	.byte	4                               # Abbrev [4] 0x37:0x6 DW_TAG_subrange_type
	.long	66                              # DW_AT_type
	.byte	4                               # DW_AT_count
	.byte	0                               # End Of Children Mark
	.byte	5                               # Abbrev [5] 0x3e:0x4 DW_TAG_base_type
	.byte	4                               # DW_AT_name
	.byte	6                               # DW_AT_encoding
	.byte	1                               # DW_AT_byte_size
	.byte	6                               # Abbrev [6] 0x42:0x4 DW_TAG_base_type
	.byte	5                               # DW_AT_name
	.byte	8                               # DW_AT_byte_size
	.byte	7                               # DW_AT_encoding
	.byte	2                               # Abbrev [2] 0x46:0xb DW_TAG_variable
	.byte	6                               # DW_AT_name
	.long	81                              # DW_AT_type
                                        # DW_AT_external
	.byte	0                               # DW_AT_decl_file
	.byte	3                               # DW_AT_decl_line
	.byte	2                               # DW_AT_location
	.byte	161
	.byte	1
	.byte	7                               # Abbrev [7] 0x51:0x17 DW_TAG_structure_type
	.byte	16                              # DW_AT_byte_size
	.byte	0                               # DW_AT_decl_file
	.byte	3                               # DW_AT_decl_line
	.byte	8                               # Abbrev [8] 0x55:0x9 DW_TAG_member
	.byte	7                               # DW_AT_name
	.long	104                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	3                               # DW_AT_decl_line
	.byte	0                               # DW_AT_data_member_location
	.byte	8                               # Abbrev [8] 0x5e:0x9 DW_TAG_member
	.byte	9                               # DW_AT_name
	.long	125                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	3                               # DW_AT_decl_line
	.byte	8                               # DW_AT_data_member_location
	.byte	0                               # End Of Children Mark
	.byte	9                               # Abbrev [9] 0x68:0x5 DW_TAG_pointer_type
	.long	109                             # DW_AT_type
	.byte	3                               # Abbrev [3] 0x6d:0xc DW_TAG_array_type
	.long	121                             # DW_AT_type
	.byte	4                               # Abbrev [4] 0x72:0x6 DW_TAG_subrange_type
	.long	66                              # DW_AT_type
	.byte	27                              # DW_AT_count
	.byte	0                               # End Of Children Mark
	.byte	5                               # Abbrev [5] 0x79:0x4 DW_TAG_base_type
	.byte	8                               # DW_AT_name
	.byte	5                               # DW_AT_encoding
	.byte	4                               # DW_AT_byte_size
	.byte	9                               # Abbrev [9] 0x7d:0x5 DW_TAG_pointer_type
	.long	130                             # DW_AT_type
	.byte	3                               # Abbrev [3] 0x82:0xf DW_TAG_array_type
	.long	121                             # DW_AT_type
	.byte	10                              # Abbrev [10] 0x87:0x9 DW_TAG_subrange_type
	.long	66                              # DW_AT_type
	.long	65536                           # DW_AT_count
	.byte	0                               # End Of Children Mark
	.byte	11                              # Abbrev [11] 0x91:0xb DW_TAG_variable
	.byte	10                              # DW_AT_name
	.long	156                             # DW_AT_type
	.byte	3                               # DW_AT_decl_file
	.short	3158                            # DW_AT_decl_line
	.ascii	"\203\001"                      # DW_AT_const_value
	.byte	9                               # Abbrev [9] 0x9c:0x5 DW_TAG_pointer_type
	.long	161                             # DW_AT_type
	.byte	12                              # Abbrev [12] 0xa1:0x15 DW_TAG_subroutine_type
	.long	182                             # DW_AT_type
                                        # DW_AT_prototyped
	.byte	13                              # Abbrev [13] 0xa6:0x5 DW_TAG_formal_parameter
	.long	182                             # DW_AT_type
	.byte	13                              # Abbrev [13] 0xab:0x5 DW_TAG_formal_parameter
	.long	183                             # DW_AT_type
	.byte	13                              # Abbrev [13] 0xb0:0x5 DW_TAG_formal_parameter
	.long	183                             # DW_AT_type
	.byte	0                               # End Of Children Mark
	.byte	14                              # Abbrev [14] 0xb6:0x1 DW_TAG_pointer_type
	.byte	15                              # Abbrev [15] 0xb7:0x8 DW_TAG_typedef
	.long	191                             # DW_AT_type
	.byte	12                              # DW_AT_name
	.byte	2                               # DW_AT_decl_file
	.byte	31                              # DW_AT_decl_line
	.byte	5                               # Abbrev [5] 0xbf:0x4 DW_TAG_base_type
	.byte	11                              # DW_AT_name
	.byte	7                               # DW_AT_encoding
	.byte	8                               # DW_AT_byte_size
	.byte	11                              # Abbrev [11] 0xc3:0xa DW_TAG_variable
	.byte	13                              # DW_AT_name
	.long	205                             # DW_AT_type
	.byte	3                               # DW_AT_decl_file
	.short	368                             # DW_AT_decl_line
	.byte	14                              # DW_AT_const_value
	.byte	9                               # Abbrev [9] 0xcd:0x5 DW_TAG_pointer_type
	.long	210                             # DW_AT_type
	.byte	16                              # Abbrev [16] 0xd2:0x5 DW_TAG_subroutine_type
	.long	183                             # DW_AT_type
                                        # DW_AT_prototyped
	.byte	17                              # Abbrev [17] 0xd7:0x9 DW_TAG_variable
	.byte	14                              # DW_AT_name
	.long	205                             # DW_AT_type
	.byte	3                               # DW_AT_decl_file
	.byte	114                             # DW_AT_decl_line
	.byte	5                               # DW_AT_const_value
	.byte	11                              # Abbrev [11] 0xe0:0xa DW_TAG_variable
	.byte	15                              # DW_AT_name
	.long	234                             # DW_AT_type
	.byte	3                               # DW_AT_decl_file
	.short	394                             # DW_AT_decl_line
	.byte	16                              # DW_AT_const_value
	.byte	9                               # Abbrev [9] 0xea:0x5 DW_TAG_pointer_type
	.long	239                             # DW_AT_type
	.byte	12                              # Abbrev [12] 0xef:0x10 DW_TAG_subroutine_type
	.long	255                             # DW_AT_type
                                        # DW_AT_prototyped
	.byte	13                              # Abbrev [13] 0xf4:0x5 DW_TAG_formal_parameter
	.long	182                             # DW_AT_type
	.byte	13                              # Abbrev [13] 0xf9:0x5 DW_TAG_formal_parameter
	.long	259                             # DW_AT_type
	.byte	0                               # End Of Children Mark
	.byte	5                               # Abbrev [5] 0xff:0x4 DW_TAG_base_type
	.byte	16                              # DW_AT_name
	.byte	5                               # DW_AT_encoding
	.byte	8                               # DW_AT_byte_size
	.byte	15                              # Abbrev [15] 0x103:0x8 DW_TAG_typedef
	.long	267                             # DW_AT_type
	.byte	18                              # DW_AT_name
	.byte	2                               # DW_AT_decl_file
	.byte	27                              # DW_AT_decl_line
	.byte	5                               # Abbrev [5] 0x10b:0x4 DW_TAG_base_type
	.byte	17                              # DW_AT_name
	.byte	7                               # DW_AT_encoding
	.byte	4                               # DW_AT_byte_size
	.byte	11                              # Abbrev [11] 0x10f:0xb DW_TAG_variable
	.byte	19                              # DW_AT_name
	.long	282                             # DW_AT_type
	.byte	3                               # DW_AT_decl_file
	.short	3176                            # DW_AT_decl_line
	.ascii	"\204\001"                      # DW_AT_const_value
	.byte	9                               # Abbrev [9] 0x11a:0x5 DW_TAG_pointer_type
	.long	287                             # DW_AT_type
	.byte	18                              # Abbrev [18] 0x11f:0xc DW_TAG_subroutine_type
                                        # DW_AT_prototyped
	.byte	13                              # Abbrev [13] 0x120:0x5 DW_TAG_formal_parameter
	.long	182                             # DW_AT_type
	.byte	13                              # Abbrev [13] 0x125:0x5 DW_TAG_formal_parameter
	.long	183                             # DW_AT_type
	.byte	0                               # End Of Children Mark
	.byte	19                              # Abbrev [19] 0x12b:0x2a DW_TAG_subprogram
	.byte	2                               # DW_AT_low_pc
	.long	.Lfunc_end0-.Lfunc_begin0       # DW_AT_high_pc
	.byte	1                               # DW_AT_frame_base
	.byte	90
                                        # DW_AT_call_all_calls
	.byte	20                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	4                               # DW_AT_decl_line
                                        # DW_AT_prototyped
	.long	121                             # DW_AT_type
                                        # DW_AT_external
	.byte	20                              # Abbrev [20] 0x13a:0x8 DW_TAG_formal_parameter
	.byte	31                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	4                               # DW_AT_decl_line
	.long	182                             # DW_AT_type
	.byte	21                              # Abbrev [21] 0x142:0x9 DW_TAG_variable
	.byte	0                               # DW_AT_location
	.byte	21                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	4                               # DW_AT_decl_line
	.long	341                             # DW_AT_type
	.byte	21                              # Abbrev [21] 0x14b:0x9 DW_TAG_variable
	.byte	1                               # DW_AT_location
	.byte	30                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	4                               # DW_AT_decl_line
	.long	183                             # DW_AT_type
	.byte	0                               # End Of Children Mark
	.byte	9                               # Abbrev [9] 0x155:0x5 DW_TAG_pointer_type
	.long	346                             # DW_AT_type
	.byte	22                              # Abbrev [22] 0x15a:0x33 DW_TAG_structure_type
	.byte	29                              # DW_AT_name
	.byte	96                              # DW_AT_byte_size
	.byte	0                               # DW_AT_decl_file
	.byte	2                               # DW_AT_decl_line
	.byte	8                               # Abbrev [8] 0x15f:0x9 DW_TAG_member
	.byte	22                              # DW_AT_name
	.long	183                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	2                               # DW_AT_decl_line
	.byte	0                               # DW_AT_data_member_location
	.byte	8                               # Abbrev [8] 0x168:0x9 DW_TAG_member
	.byte	23                              # DW_AT_name
	.long	259                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	2                               # DW_AT_decl_line
	.byte	8                               # DW_AT_data_member_location
	.byte	8                               # Abbrev [8] 0x171:0x9 DW_TAG_member
	.byte	24                              # DW_AT_name
	.long	259                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	2                               # DW_AT_decl_line
	.byte	12                              # DW_AT_data_member_location
	.byte	8                               # Abbrev [8] 0x17a:0x9 DW_TAG_member
	.byte	25                              # DW_AT_name
	.long	397                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	2                               # DW_AT_decl_line
	.byte	16                              # DW_AT_data_member_location
	.byte	8                               # Abbrev [8] 0x183:0x9 DW_TAG_member
	.byte	26                              # DW_AT_name
	.long	409                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	2                               # DW_AT_decl_line
	.byte	32                              # DW_AT_data_member_location
	.byte	0                               # End Of Children Mark
	.byte	3                               # Abbrev [3] 0x18d:0xc DW_TAG_array_type
	.long	62                              # DW_AT_type
	.byte	4                               # Abbrev [4] 0x192:0x6 DW_TAG_subrange_type
	.long	66                              # DW_AT_type
	.byte	16                              # DW_AT_count
	.byte	0                               # End Of Children Mark
	.byte	3                               # Abbrev [3] 0x199:0xc DW_TAG_array_type
	.long	421                             # DW_AT_type
	.byte	4                               # Abbrev [4] 0x19e:0x6 DW_TAG_subrange_type
	.long	66                              # DW_AT_type
	.byte	64                              # DW_AT_count
	.byte	0                               # End Of Children Mark
	.byte	15                              # Abbrev [15] 0x1a5:0x8 DW_TAG_typedef
	.long	429                             # DW_AT_type
	.byte	28                              # DW_AT_name
	.byte	2                               # DW_AT_decl_file
	.byte	21                              # DW_AT_decl_line
	.byte	5                               # Abbrev [5] 0x1ad:0x4 DW_TAG_base_type
	.byte	27                              # DW_AT_name
	.byte	8                               # DW_AT_encoding
	.byte	1                               # DW_AT_byte_size
	.byte	0                               # End Of Children Mark
.Ldebug_info_end0:
	.section	.debug_str_offsets,"",@progbits
	.long	132                             # Length of String Offsets Set
	.short	5
	.short	0
.Lstr_offsets_base0:
	.section	.debug_str,"MS",@progbits,1
.Linfo_string0:
	.asciz	"Debian clang version 19.1.7 (3~deb12u1)" # string offset=0
.Linfo_string1:
	.asciz	"p06_ring.c"                    # string offset=40
.Linfo_string2:
	.asciz	"/src"                          # string offset=51
.Linfo_string3:
	.asciz	"LICENSE"                       # string offset=56
.Linfo_string4:
	.asciz	"char"                          # string offset=64
.Linfo_string5:
	.asciz	"__ARRAY_SIZE_TYPE__"           # string offset=69
.Linfo_string6:
	.asciz	"rb"                            # string offset=89
.Linfo_string7:
	.asciz	"type"                          # string offset=92
.Linfo_string8:
	.asciz	"int"                           # string offset=97
.Linfo_string9:
	.asciz	"max_entries"                   # string offset=101
.Linfo_string10:
	.asciz	"bpf_ringbuf_reserve"           # string offset=113
.Linfo_string11:
	.asciz	"unsigned long long"            # string offset=133
.Linfo_string12:
	.asciz	"__u64"                         # string offset=152
.Linfo_string13:
	.asciz	"bpf_get_current_pid_tgid"      # string offset=158
.Linfo_string14:
	.asciz	"bpf_ktime_get_ns"              # string offset=183
.Linfo_string15:
	.asciz	"bpf_get_current_comm"          # string offset=200
.Linfo_string16:
	.asciz	"long"                          # string offset=221
.Linfo_string17:
	.asciz	"unsigned int"                  # string offset=226
.Linfo_string18:
	.asciz	"__u32"                         # string offset=239
.Linfo_string19:
	.asciz	"bpf_ringbuf_submit"            # string offset=245
.Linfo_string20:
	.asciz	"tp"                            # string offset=264
.Linfo_string21:
	.asciz	"e"                             # string offset=267
.Linfo_string22:
	.asciz	"ts"                            # string offset=269
.Linfo_string23:
	.asciz	"pid"                           # string offset=272
.Linfo_string24:
	.asciz	"tgid"                          # string offset=276
.Linfo_string25:
	.asciz	"comm"                          # string offset=281
.Linfo_string26:
	.asciz	"data"                          # string offset=286
.Linfo_string27:
	.asciz	"unsigned char"                 # string offset=291
.Linfo_string28:
	.asciz	"__u8"                          # string offset=305
.Linfo_string29:
	.asciz	"ev"                            # string offset=310
.Linfo_string30:
	.asciz	"id"                            # string offset=313
.Linfo_string31:
	.asciz	"ctx"                           # string offset=316
	.section	.debug_str_offsets,"",@progbits
	.long	.Linfo_string0
	.long	.Linfo_string1
	.long	.Linfo_string2
	.long	.Linfo_string3
	.long	.Linfo_string4
	.long	.Linfo_string5
	.long	.Linfo_string6
	.long	.Linfo_string7
	.long	.Linfo_string8
	.long	.Linfo_string9
	.long	.Linfo_string10
	.long	.Linfo_string11
	.long	.Linfo_string12
	.long	.Linfo_string13
	.long	.Linfo_string14
	.long	.Linfo_string15
	.long	.Linfo_string16
	.long	.Linfo_string17
	.long	.Linfo_string18
	.long	.Linfo_string19
	.long	.Linfo_string20
	.long	.Linfo_string21
	.long	.Linfo_string22
	.long	.Linfo_string23
	.long	.Linfo_string24
	.long	.Linfo_string25
	.long	.Linfo_string26
	.long	.Linfo_string27
	.long	.Linfo_string28
	.long	.Linfo_string29
	.long	.Linfo_string30
	.long	.Linfo_string31
	.section	.debug_addr,"",@progbits
	.long	.Ldebug_addr_end0-.Ldebug_addr_start0 # Length of contribution
.Ldebug_addr_start0:
	.short	5                               # DWARF version number
	.byte	8                               # Address size
	.byte	0                               # Segment selector size
.Laddr_table_base0:
	.quad	LICENSE
	.quad	rb
	.quad	.Lfunc_begin0
.Ldebug_addr_end0:
	.section	.BTF,"",@progbits
	.short	60319                           # 0xeb9f
	.byte	1
	.byte	0
	.long	24
	.long	0
	.long	304
	.long	304
	.long	132
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
	.long	27
	.long	5                               # BTF_KIND_INT(id = 4)
	.long	16777216                        # 0x1000000
	.long	4
	.long	32                              # 0x20
	.long	0                               # BTF_KIND_PTR(id = 5)
	.long	33554432                        # 0x2000000
	.long	6
	.long	0                               # BTF_KIND_ARRAY(id = 6)
	.long	50331648                        # 0x3000000
	.long	0
	.long	2
	.long	4
	.long	65536
	.long	0                               # BTF_KIND_STRUCT(id = 7)
	.long	67108866                        # 0x4000002
	.long	16
	.long	25
	.long	1
	.long	0                               # 0x0
	.long	30
	.long	5
	.long	64                              # 0x40
	.long	42                              # BTF_KIND_VAR(id = 8)
	.long	234881024                       # 0xe000000
	.long	7
	.long	1
	.long	0                               # BTF_KIND_PTR(id = 9)
	.long	33554432                        # 0x2000000
	.long	0
	.long	0                               # BTF_KIND_FUNC_PROTO(id = 10)
	.long	218103809                       # 0xd000001
	.long	2
	.long	45
	.long	9
	.long	49                              # BTF_KIND_FUNC(id = 11)
	.long	201326593                       # 0xc000001
	.long	10
	.long	105                             # BTF_KIND_INT(id = 12)
	.long	16777216                        # 0x1000000
	.long	1
	.long	16777224                        # 0x1000008
	.long	0                               # BTF_KIND_ARRAY(id = 13)
	.long	50331648                        # 0x3000000
	.long	0
	.long	12
	.long	4
	.long	4
	.long	110                             # BTF_KIND_VAR(id = 14)
	.long	234881024                       # 0xe000000
	.long	13
	.long	1
	.long	118                             # BTF_KIND_DATASEC(id = 15)
	.long	251658241                       # 0xf000001
	.long	0
	.long	8
	.long	rb
	.long	16
	.long	124                             # BTF_KIND_DATASEC(id = 16)
	.long	251658241                       # 0xf000001
	.long	0
	.long	14
	.long	LICENSE
	.long	4
	.byte	0                               # string offset=0
	.ascii	"int"                           # string offset=1
	.byte	0
	.ascii	"__ARRAY_SIZE_TYPE__"           # string offset=5
	.byte	0
	.ascii	"type"                          # string offset=25
	.byte	0
	.ascii	"max_entries"                   # string offset=30
	.byte	0
	.ascii	"rb"                            # string offset=42
	.byte	0
	.ascii	"ctx"                           # string offset=45
	.byte	0
	.ascii	"tp"                            # string offset=49
	.byte	0
	.ascii	"tracepoint/syscalls/sys_enter_openat" # string offset=52
	.byte	0
	.ascii	"/src/p06_ring.c"               # string offset=89
	.byte	0
	.ascii	"char"                          # string offset=105
	.byte	0
	.ascii	"LICENSE"                       # string offset=110
	.byte	0
	.ascii	".maps"                         # string offset=118
	.byte	0
	.ascii	"license"                       # string offset=124
	.byte	0
	.section	.BTF.ext,"",@progbits
	.short	60319                           # 0xeb9f
	.byte	1
	.byte	0
	.long	32
	.long	0
	.long	20
	.long	20
	.long	236
	.long	256
	.long	0
	.long	8                               # FuncInfo
	.long	52                              # FuncInfo section string offset=52
	.long	1
	.long	.Lfunc_begin0
	.long	11
	.long	16                              # LineInfo
	.long	52                              # LineInfo section string offset=52
	.long	14
	.long	.Lfunc_begin0
	.long	89
	.long	0
	.long	4096                            # Line 4 Col 0
	.long	.Ltmp2
	.long	89
	.long	0
	.long	4171                            # Line 4 Col 75
	.long	.Ltmp6
	.long	89
	.long	0
	.long	4212                            # Line 4 Col 116
	.long	.Ltmp9
	.long	89
	.long	0
	.long	4234                            # Line 4 Col 138
	.long	.Ltmp13
	.long	89
	.long	0
	.long	4309                            # Line 4 Col 213
	.long	.Ltmp14
	.long	89
	.long	0
	.long	4268                            # Line 4 Col 172
	.long	.Ltmp16
	.long	89
	.long	0
	.long	4306                            # Line 4 Col 210
	.long	.Ltmp17
	.long	89
	.long	0
	.long	4294                            # Line 4 Col 198
	.long	.Ltmp18
	.long	89
	.long	0
	.long	4267                            # Line 4 Col 171
	.long	.Ltmp19
	.long	89
	.long	0
	.long	4339                            # Line 4 Col 243
	.long	.Ltmp20
	.long	89
	.long	0
	.long	4315                            # Line 4 Col 219
	.long	.Ltmp22
	.long	89
	.long	0
	.long	4361                            # Line 4 Col 265
	.long	.Ltmp23
	.long	89
	.long	0
	.long	4405                            # Line 4 Col 309
	.long	.Ltmp26
	.long	89
	.long	0
	.long	4440                            # Line 4 Col 344
	.addrsig
	.addrsig_sym tp
	.addrsig_sym LICENSE
	.addrsig_sym rb
	.section	.debug_line,"",@progbits
.Lline_table_start0:
