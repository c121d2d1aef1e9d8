	.text
	.file	"p05_switch.c"
	.file	0 "/src" "p05_switch.c" md5 0xc6f9daabf85c28f3ec3a57332c1adc93
	.file	1 "." "common.h" md5 0x07c1601c0d80da245a511916dbefdff8
	.file	2 "/usr/include/asm-generic" "int-ll64.h" md5 0xb810f270733e106319b67ef512c6246e
	.file	3 "/usr/include/bpf" "bpf_helper_defs.h" md5 0xba0039f6acc4710a5f4349e628ddfb60
	.file	4 "/usr/include/linux" "bpf.h" md5 0x8ab7bf195d20e2851bf1a9e5b71245ca
	.section	xdp.frags,"ax",@progbits
	.globl	sw                              # -- Begin function sw
	.p2align	3
	.type	sw,@function
sw:                                     # @sw
.Lfunc_begin0:
	.cfi_sections .debug_frame
	.cfi_startproc
# %bb.0:
	#DEBUG_VALUE: sw:c <- $r1
	.loc	0 2 53 prologue_end             # p05_switch.c:2:53
.Ltmp0:
	w1 = *(u32 *)(r1 + 16)
.Ltmp1:
.Ltmp2:
	.loc	0 2 43 is_stmt 0                # p05_switch.c:2:43
.Ltmp3:
	if w1 s> 4 goto LBB0_5
# %bb.1:
	if w1 s> 1 goto LBB0_9
# %bb.2:
	.loc	0 0 43                          # p05_switch.c:0:43
	w0 = 2
	.loc	0 2 43                          # p05_switch.c:2:43
	if w1 == 0 goto LBB0_24
# %bb.3:
	if w1 == 1 goto LBB0_4
	goto LBB0_22
LBB0_5:
	if w1 s> 6 goto LBB0_13
# %bb.6:
	if w1 == 5 goto LBB0_17
# %bb.7:
	if w1 == 6 goto LBB0_8
	goto LBB0_22
LBB0_8:
.Ltmp4:
	.loc	0 2 247                         # p05_switch.c:2:247
.Ltmp5:
.Ltmp6:
	w1 = 2
	goto LBB0_18
.Ltmp7:
.Ltmp8:
LBB0_9:
	.loc	0 2 43                          # p05_switch.c:2:43
.Ltmp9:
	if w1 == 2 goto LBB0_19
# %bb.10:
	if w1 == 3 goto LBB0_23
# %bb.11:
	if w1 == 4 goto LBB0_4
	goto LBB0_22
LBB0_4:
	.loc	0 0 43                          # p05_switch.c:0:43
	w0 = w1
.Ltmp10:
	.loc	0 2 274                         # p05_switch.c:2:274
.Ltmp11:
.Ltmp12:
	goto LBB0_24
.Ltmp13:
.Ltmp14:
LBB0_13:
	.loc	0 2 43                          # p05_switch.c:2:43
.Ltmp15:
	if w1 == 7 goto LBB0_4
# %bb.14:
	if w1 == 8 goto LBB0_21
# %bb.15:
	if w1 == 9 goto LBB0_16
	goto LBB0_22
LBB0_16:
	.loc	0 0 43                          # p05_switch.c:0:43
	w0 = 1
.Ltmp16:
	.loc	0 2 311                         # p05_switch.c:2:311
.Ltmp17:
.Ltmp18:
	goto LBB0_24
LBB0_17:
	.loc	0 2 213                         # p05_switch.c:2:213
.Ltmp19:
	w1 = 1
LBB0_18:
	.loc	0 2 0                           # p05_switch.c:2:0
.Ltmp20:
	r2 = 0
	call 23
.Ltmp21:
	.loc	0 2 206                         # p05_switch.c:2:206
.Ltmp22:
	goto LBB0_24
LBB0_19:
	.loc	0 0 206                         # p05_switch.c:0:206
	w0 = 3
	.loc	0 2 126                         # p05_switch.c:2:126
.Ltmp23:
	goto LBB0_24
LBB0_21:
	.loc	0 0 126                         # p05_switch.c:0:126
	w0 = 99
	.loc	0 2 292                         # p05_switch.c:2:292
.Ltmp24:
	goto LBB0_24
LBB0_22:
	.loc	0 2 337                         # p05_switch.c:2:337
.Ltmp25:
	call 8
.Ltmp26:
	w1 = w0
	w0 = 1
	.loc	0 2 363                         # p05_switch.c:2:363
.Ltmp27:
	if w1 == 0 goto LBB0_24
.Ltmp28:
.Ltmp29:
LBB0_23:
	.loc	0 0 363                         # p05_switch.c:0:363
	w0 = 0
LBB0_24:
                                        # kill: def $w0 killed $w0 killed $r0
	.loc	0 2 370                         # p05_switch.c:2:370
.Ltmp30:
	exit
.Ltmp31:
.Ltmp32:
.Lfunc_end0:
	.size	sw, .Lfunc_end0-sw
	.cfi_endproc
                                        # -- End function
	.type	LICENSE,@object                 # @LICENSE
	.section	license,"aw",@progbits
	.globl	LICENSE
LICENSE:
	.asciz	"GPL"
	.size	LICENSE, 4

	.section	.debug_loclists,"",@progbits
	.long	.Ldebug_list_header_end0-.Ldebug_list_header_start0 # Length
.Ldebug_list_header_start0:
	.short	5                               # Version
	.byte	8                               # Address size
	.byte	0                               # Segment selector size
	.long	1                               # Offset entry count
.Lloclists_table_base0:
	.long	.Ldebug_loc0-.Lloclists_table_base0
.Ldebug_loc0:
	.byte	4                               # DW_LLE_offset_pair
	.uleb128 .Lfunc_begin0-.Lfunc_begin0    #   starting offset
	.uleb128 .Ltmp1-.Lfunc_begin0           #   ending offset
	.byte	1                               # Loc expr size
	.byte	81                              # DW_OP_reg1
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
	.byte	8                               # Abbreviation Code
	.byte	15                              # DW_TAG_pointer_type
	.byte	0                               # DW_CHILDREN_no
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	9                               # Abbreviation Code
	.byte	21                              # DW_TAG_subroutine_type
	.byte	1                               # DW_CHILDREN_yes
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	39                              # DW_AT_prototyped
	.byte	25                              # DW_FORM_flag_present
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	10                              # Abbreviation Code
	.byte	5                               # DW_TAG_formal_parameter
	.byte	0                               # DW_CHILDREN_no
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	11                              # Abbreviation Code
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
	.byte	12                              # Abbreviation Code
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
	.byte	13                              # Abbreviation Code
	.byte	21                              # DW_TAG_subroutine_type
	.byte	0                               # DW_CHILDREN_no
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	39                              # DW_AT_prototyped
	.byte	25                              # DW_FORM_flag_present
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	14                              # Abbreviation Code
	.byte	4                               # DW_TAG_enumeration_type
	.byte	1                               # DW_CHILDREN_yes
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	11                              # DW_AT_byte_size
	.byte	11                              # DW_FORM_data1
	.byte	58                              # DW_AT_decl_file
	.byte	11                              # DW_FORM_data1
	.byte	59                              # DW_AT_decl_line
	.byte	5                               # DW_FORM_data2
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	15                              # Abbreviation Code
	.byte	40                              # DW_TAG_enumerator
	.byte	0                               # DW_CHILDREN_no
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	28                              # DW_AT_const_value
	.byte	15                              # DW_FORM_udata
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	16                              # Abbreviation Code
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
	.byte	17                              # Abbreviation Code
	.byte	5                               # DW_TAG_formal_parameter
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
	.byte	18                              # Abbreviation Code
	.byte	19                              # DW_TAG_structure_type
	.byte	1                               # DW_CHILDREN_yes
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	11                              # DW_AT_byte_size
	.byte	11                              # DW_FORM_data1
	.byte	58                              # DW_AT_decl_file
	.byte	11                              # DW_FORM_data1
	.byte	59                              # DW_AT_decl_line
	.byte	5                               # DW_FORM_data2
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	19                              # Abbreviation Code
	.byte	13                              # DW_TAG_member
	.byte	0                               # DW_CHILDREN_no
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	58                              # DW_AT_decl_file
	.byte	11                              # DW_FORM_data1
	.byte	59                              # DW_AT_decl_line
	.byte	5                               # DW_FORM_data2
	.byte	56                              # DW_AT_data_member_location
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
	.byte	1                               # Abbrev [1] 0xc:0x108 DW_TAG_compile_unit
	.byte	0                               # DW_AT_producer
	.short	29                              # DW_AT_language
	.byte	1                               # DW_AT_name
	.long	.Lstr_offsets_base0             # DW_AT_str_offsets_base
	.long	.Lline_table_start0             # DW_AT_stmt_list
	.byte	2                               # DW_AT_comp_dir
	.byte	1                               # DW_AT_low_pc
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
	.byte	7                               # Abbrev [7] 0x46:0xa DW_TAG_variable
	.byte	6                               # DW_AT_name
	.long	80                              # DW_AT_type
	.byte	3                               # DW_AT_decl_file
	.short	619                             # DW_AT_decl_line
	.byte	23                              # DW_AT_const_value
	.byte	8                               # Abbrev [8] 0x50:0x5 DW_TAG_pointer_type
	.long	85                              # DW_AT_type
	.byte	9                               # Abbrev [9] 0x55:0x10 DW_TAG_subroutine_type
	.long	101                             # DW_AT_type
                                        # DW_AT_prototyped
	.byte	10                              # Abbrev [10] 0x5a:0x5 DW_TAG_formal_parameter
	.long	105                             # DW_AT_type
	.byte	10                              # Abbrev [10] 0x5f:0x5 DW_TAG_formal_parameter
	.long	117                             # DW_AT_type
	.byte	0                               # End Of Children Mark
	.byte	5                               # Abbrev [5] 0x65:0x4 DW_TAG_base_type
	.byte	7                               # DW_AT_name
	.byte	5                               # DW_AT_encoding
	.byte	8                               # DW_AT_byte_size
	.byte	11                              # Abbrev [11] 0x69:0x8 DW_TAG_typedef
	.long	113                             # DW_AT_type
	.byte	9                               # DW_AT_name
	.byte	2                               # DW_AT_decl_file
	.byte	27                              # DW_AT_decl_line
	.byte	5                               # Abbrev [5] 0x71:0x4 DW_TAG_base_type
	.byte	8                               # DW_AT_name
	.byte	7                               # DW_AT_encoding
	.byte	4                               # DW_AT_byte_size
	.byte	11                              # Abbrev [11] 0x75:0x8 DW_TAG_typedef
	.long	125                             # DW_AT_type
	.byte	11                              # DW_AT_name
	.byte	2                               # DW_AT_decl_file
	.byte	31                              # DW_AT_decl_line
	.byte	5                               # Abbrev [5] 0x7d:0x4 DW_TAG_base_type
	.byte	10                              # DW_AT_name
	.byte	7                               # DW_AT_encoding
	.byte	8                               # DW_AT_byte_size
	.byte	12                              # Abbrev [12] 0x81:0x9 DW_TAG_variable
	.byte	12                              # DW_AT_name
	.long	138                             # DW_AT_type
	.byte	3                               # DW_AT_decl_file
	.byte	206                             # DW_AT_decl_line
	.byte	8                               # DW_AT_const_value
	.byte	8                               # Abbrev [8] 0x8a:0x5 DW_TAG_pointer_type
	.long	143                             # DW_AT_type
	.byte	13                              # Abbrev [13] 0x8f:0x5 DW_TAG_subroutine_type
	.long	105                             # DW_AT_type
                                        # DW_AT_prototyped
	.byte	14                              # Abbrev [14] 0x94:0x1a DW_TAG_enumeration_type
	.long	113                             # DW_AT_type
	.byte	18                              # DW_AT_name
	.byte	4                               # DW_AT_byte_size
	.byte	4                               # DW_AT_decl_file
	.short	6089                            # DW_AT_decl_line
	.byte	15                              # Abbrev [15] 0x9e:0x3 DW_TAG_enumerator
	.byte	13                              # DW_AT_name
	.byte	0                               # DW_AT_const_value
	.byte	15                              # Abbrev [15] 0xa1:0x3 DW_TAG_enumerator
	.byte	14                              # DW_AT_name
	.byte	1                               # DW_AT_const_value
	.byte	15                              # Abbrev [15] 0xa4:0x3 DW_TAG_enumerator
	.byte	15                              # DW_AT_name
	.byte	2                               # DW_AT_const_value
	.byte	15                              # Abbrev [15] 0xa7:0x3 DW_TAG_enumerator
	.byte	16                              # DW_AT_name
	.byte	3                               # DW_AT_const_value
	.byte	15                              # Abbrev [15] 0xaa:0x3 DW_TAG_enumerator
	.byte	17                              # DW_AT_name
	.byte	4                               # DW_AT_const_value
	.byte	0                               # End Of Children Mark
	.byte	16                              # Abbrev [16] 0xae:0x19 DW_TAG_subprogram
	.byte	1                               # DW_AT_low_pc
	.long	.Lfunc_end0-.Lfunc_begin0       # DW_AT_high_pc
	.byte	1                               # DW_AT_frame_base
	.byte	90
                                        # DW_AT_call_all_calls
	.byte	19                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	2                               # DW_AT_decl_line
                                        # DW_AT_prototyped
	.long	199                             # DW_AT_type
                                        # DW_AT_external
	.byte	17                              # Abbrev [17] 0xbd:0x9 DW_TAG_formal_parameter
	.byte	0                               # DW_AT_location
	.byte	21                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	2                               # DW_AT_decl_line
	.long	203                             # DW_AT_type
	.byte	0                               # End Of Children Mark
	.byte	5                               # Abbrev [5] 0xc7:0x4 DW_TAG_base_type
	.byte	20                              # DW_AT_name
	.byte	5                               # DW_AT_encoding
	.byte	4                               # DW_AT_byte_size
	.byte	8                               # Abbrev [8] 0xcb:0x5 DW_TAG_pointer_type
	.long	208                             # DW_AT_type
	.byte	18                              # Abbrev [18] 0xd0:0x43 DW_TAG_structure_type
	.byte	28                              # DW_AT_name
	.byte	24                              # DW_AT_byte_size
	.byte	4                               # DW_AT_decl_file
	.short	6100                            # DW_AT_decl_line
	.byte	19                              # Abbrev [19] 0xd6:0xa DW_TAG_member
	.byte	22                              # DW_AT_name
	.long	105                             # DW_AT_type
	.byte	4                               # DW_AT_decl_file
	.short	6101                            # DW_AT_decl_line
	.byte	0                               # DW_AT_data_member_location
	.byte	19                              # Abbrev [19] 0xe0:0xa DW_TAG_member
	.byte	23                              # DW_AT_name
	.long	105                             # DW_AT_type
	.byte	4                               # DW_AT_decl_file
	.short	6102                            # DW_AT_decl_line
	.byte	4                               # DW_AT_data_member_location
	.byte	19                              # Abbrev [19] 0xea:0xa DW_TAG_member
	.byte	24                              # DW_AT_name
	.long	105                             # DW_AT_type
	.byte	4                               # DW_AT_decl_file
	.short	6103                            # DW_AT_decl_line
	.byte	8                               # DW_AT_data_member_location
	.byte	19                              # Abbrev [19] 0xf4:0xa DW_TAG_member
	.byte	25                              # DW_AT_name
	.long	105                             # DW_AT_type
	.byte	4                               # DW_AT_decl_file
	.short	6105                            # DW_AT_decl_line
	.byte	12                              # DW_AT_data_member_location
	.byte	19                              # Abbrev [19] 0xfe:0xa DW_TAG_member
	.byte	26                              # DW_AT_name
	.long	105                             # DW_AT_type
	.byte	4                               # DW_AT_decl_file
	.short	6106                            # DW_AT_decl_line
	.byte	16                              # DW_AT_data_member_location
	.byte	19                              # Abbrev [19] 0x108:0xa DW_TAG_member
	.byte	27                              # DW_AT_name
	.long	105                             # DW_AT_type
	.byte	4                               # DW_AT_decl_file
	.short	6108                            # DW_AT_decl_line
	.byte	20                              # DW_AT_data_member_location
	.byte	0                               # End Of Children Mark
	.byte	0                               # End Of Children Mark
.Ldebug_info_end0:
	.section	.debug_str_offsets,"",@progbits
	.long	120                             # Length of String Offsets Set
	.short	5
	.short	0
.Lstr_offsets_base0:
	.section	.debug_str,"MS",@progbits,1
.Linfo_string0:
	.asciz	"Debian clang version 19.1.7 (3~deb12u1)" # string offset=0
.Linfo_string1:
	.asciz	"p05_switch.c"                  # string offset=40
.Linfo_string2:
	.asciz	"/src"                          # string offset=53
.Linfo_string3:
	.asciz	"LICENSE"                       # string offset=58
.Linfo_string4:
	.asciz	"char"                          # string offset=66
.Linfo_string5:
	.asciz	"__ARRAY_SIZE_TYPE__"           # string offset=71
.Linfo_string6:
	.asciz	"bpf_redirect"                  # string offset=91
.Linfo_string7:
	.asciz	"long"                          # string offset=104
.Linfo_string8:
	.asciz	"unsigned int"                  # string offset=109
.Linfo_string9:
	.asciz	"__u32"                         # string offset=122
.Linfo_string10:
	.asciz	"unsigned long long"            # string offset=128
.Linfo_string11:
	.asciz	"__u64"                         # string offset=147
.Linfo_string12:
	.asciz	"bpf_get_smp_processor_id"      # string offset=153
.Linfo_string13:
	.asciz	"XDP_ABORTED"                   # string offset=178
.Linfo_string14:
	.asciz	"XDP_DROP"                      # string offset=190
.Linfo_string15:
	.asciz	"XDP_PASS"                      # string offset=199
.Linfo_string16:
	.asciz	"XDP_TX"                        # string offset=208
.Linfo_string17:
	.asciz	"XDP_REDIRECT"                  # string offset=215
.Linfo_string18:
	.asciz	"xdp_action"                    # string offset=228
.Linfo_string19:
	.asciz	"sw"                            # string offset=239
.Linfo_string20:
	.asciz	"int"                           # string offset=242
.Linfo_string21:
	.asciz	"c"                             # string offset=246
.Linfo_string22:
	.asciz	"data"                          # string offset=248
.Linfo_string23:
	.asciz	"data_end"                      # string offset=253
.Linfo_string24:
	.asciz	"data_meta"                     # string offset=262
.Linfo_string25:
	.asciz	"ingress_ifindex"               # string offset=272
.Linfo_string26:
	.asciz	"rx_queue_index"                # string offset=288
.Linfo_string27:
	.asciz	"egress_ifindex"                # string offset=303
.Linfo_string28:
	.asciz	"xdp_md"                        # string offset=318
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
	.section	.debug_addr,"",@progbits
	.long	.Ldebug_addr_end0-.Ldebug_addr_start0 # Length of contribution
.Ldebug_addr_start0:
	.short	5                               # DWARF version number
	.byte	8                               # Address size
	.byte	0                               # Segment selector size
.Laddr_table_base0:
	.quad	LICENSE
	.quad	.Lfunc_begin0
.Ldebug_addr_end0:
	.section	.BTF,"",@progbits
	.short	60319                           # 0xeb9f
	.byte	1
	.byte	0
	.long	24
	.long	0
	.long	268
	.long	268
	.long	175
	.long	0                               # BTF_KIND_PTR(id = 1)
	.long	33554432                        # 0x2000000
	.long	2
	.long	1                               # BTF_KIND_STRUCT(id = 2)
	.long	67108870                        # 0x4000006
	.long	24
	.long	8
	.long	3
	.long	0                               # 0x0
	.long	13
	.long	3
	.long	32                              # 0x20
	.long	22
	.long	3
	.long	64                              # 0x40
	.long	32
	.long	3
	.long	96                              # 0x60
	.long	48
	.long	3
	.long	128                             # 0x80
	.long	63
	.long	3
	.long	160                             # 0xa0
	.long	78                              # BTF_KIND_TYPEDEF(id = 3)
	.long	134217728                       # 0x8000000
	.long	4
	.long	84                              # BTF_KIND_INT(id = 4)
	.long	16777216                        # 0x1000000
	.long	4
	.long	32                              # 0x20
	.long	0                               # BTF_KIND_FUNC_PROTO(id = 5)
	.long	218103809                       # 0xd000001
	.long	6
	.long	97
	.long	1
	.long	99                              # BTF_KIND_INT(id = 6)
	.long	16777216                        # 0x1000000
	.long	4
	.long	16777248                        # 0x1000020
	.long	103                             # BTF_KIND_FUNC(id = 7)
	.long	201326593                       # 0xc000001
	.long	5
	.long	134                             # BTF_KIND_INT(id = 8)
	.long	16777216                        # 0x1000000
	.long	1
	.long	16777224                        # 0x1000008
	.long	0                               # BTF_KIND_ARRAY(id = 9)
	.long	50331648                        # 0x3000000
	.long	0
	.long	8
	.long	10
	.long	4
	.long	139                             # BTF_KIND_INT(id = 10)
	.long	16777216                        # 0x1000000
	.long	4
	.long	32                              # 0x20
	.long	159                             # BTF_KIND_VAR(id = 11)
	.long	234881024                       # 0xe000000
	.long	9
	.long	1
	.long	167                             # BTF_KIND_DATASEC(id = 12)
	.long	251658241                       # 0xf000001
	.long	0
	.long	11
	.long	LICENSE
	.long	4
	.byte	0                               # string offset=0
	.ascii	"xdp_md"                        # string offset=1
	.byte	0
	.ascii	"data"                          # string offset=8
	.byte	0
	.ascii	"data_end"                      # string offset=13
	.byte	0
	.ascii	"data_meta"                     # string offset=22
	.byte	0
	.ascii	"ingress_ifindex"               # string offset=32
	.byte	0
	.ascii	"rx_queue_index"                # string offset=48
	.byte	0
	.ascii	"egress_ifindex"                # string offset=63
	.byte	0
	.ascii	"__u32"                         # string offset=78
	.byte	0
	.ascii	"unsigned int"                  # string offset=84
	.byte	0
	.byte	99                              # string offset=97
	.byte	0
	.ascii	"int"                           # string offset=99
	.byte	0
	.ascii	"sw"                            # string offset=103
	.byte	0
	.ascii	"xdp.frags"                     # string offset=106
	.byte	0
	.ascii	"/src/p05_switch.c"             # string offset=116
	.byte	0
	.ascii	"char"                          # string offset=134
	.byte	0
	.ascii	"__ARRAY_SIZE_TYPE__"           # string offset=139
	.byte	0
	.ascii	"LICENSE"                       # string offset=159
	.byte	0
	.ascii	"license"                       # string offset=167
	.byte	0
	.section	.BTF.ext,"",@progbits
	.short	60319                           # 0xeb9f
	.byte	1
	.byte	0
	.long	32
	.long	0
	.long	20
	.long	20
	.long	252
	.long	272
	.long	0
	.long	8                               # FuncInfo
	.long	106                             # FuncInfo section string offset=106
	.long	1
	.long	.Lfunc_begin0
	.long	7
	.long	16                              # LineInfo
	.long	106                             # LineInfo section string offset=106
	.long	15
	.long	.Ltmp0
	.long	116
	.long	0
	.long	2101                            # Line 2 Col 53
	.long	.Ltmp3
	.long	116
	.long	0
	.long	2091                            # Line 2 Col 43
	.long	.Ltmp6
	.long	116
	.long	0
	.long	2295                            # Line 2 Col 247
	.long	.Ltmp9
	.long	116
	.long	0
	.long	2091                            # Line 2 Col 43
	.long	.Ltmp12
	.long	116
	.long	0
	.long	2322                            # Line 2 Col 274
	.long	.Ltmp15
	.long	116
	.long	0
	.long	2091                            # Line 2 Col 43
	.long	.Ltmp18
	.long	116
	.long	0
	.long	2359                            # Line 2 Col 311
	.long	.Ltmp19
	.long	116
	.long	0
	.long	2261                            # Line 2 Col 213
	.long	.Ltmp20
	.long	116
	.long	0
	.long	2048                            # Line 2 Col 0
	.long	.Ltmp22
	.long	116
	.long	0
	.long	2254                            # Line 2 Col 206
	.long	.Ltmp23
	.long	116
	.long	0
	.long	2174                            # Line 2 Col 126
	.long	.Ltmp24
	.long	116
	.long	0
	.long	2340                            # Line 2 Col 292
	.long	.Ltmp25
	.long	116
	.long	0
	.long	2385                            # Line 2 Col 337
	.long	.Ltmp27
	.long	116
	.long	0
	.long	2411                            # Line 2 Col 363
	.long	.Ltmp30
	.long	116
	.long	0
	.long	2418                            # Line 2 Col 370
	.addrsig
	.addrsig_sym sw
	.addrsig_sym LICENSE
	.section	.debug_line,"",@progbits
.Lline_table_start0:
