	.text
	.file	"counter.c"
	.file	0 "/tmp/hA" "counter.c" md5 0xc54c6a1a0620b78bc99f6b0961831a83
	.section	tc,"ax",@progbits
	.globl	count                           # -- Begin function count
	.p2align	3
	.type	count,@function
count:                                  # @count
.Lfunc_begin0:
	.loc	0 36 0                          # counter.c:36:0
	.cfi_sections .debug_frame
	.cfi_startproc
# %bb.0:
	#DEBUG_VALUE: count:skb <- $r1
	r6 = r1
.Ltmp0:
.Ltmp1:
	#DEBUG_VALUE: count:skb <- $r6
	w1 = 0
.Ltmp2:
	.loc	0 37 9 prologue_end             # counter.c:37:9
.Ltmp3:
.Ltmp4:
	*(u32 *)(r10 - 4) = w1
	r2 = r10
	r2 += -4
	.loc	0 38 27                         # counter.c:38:27
.Ltmp5:
	r1 = acc ll
	call 1
.Ltmp6:
.Ltmp7:
	#DEBUG_VALUE: count:value <- $r0
	.loc	0 40 9                          # counter.c:40:9
.Ltmp8:
	if r0 == 0 goto LBB0_2
.Ltmp9:
.Ltmp10:
# %bb.1:
	#DEBUG_VALUE: count:value <- $r0
	#DEBUG_VALUE: count:skb <- $r6
	.loc	0 0 9 is_stmt 0                 # counter.c:0:9
	w1 = 1
.Ltmp11:
	.loc	0 41 9 is_stmt 1                # counter.c:41:9
.Ltmp12:
.Ltmp13:
	lock *(u32 *)(r0 + 0) += w1
	.loc	0 42 50                         # counter.c:42:50
.Ltmp14:
	w1 = *(u32 *)(r6 + 0)
	.loc	0 42 9 is_stmt 0                # counter.c:42:9
.Ltmp15:
	lock *(u64 *)(r0 + 8) += r1
	w1 = 7
	.loc	0 43 25 is_stmt 1               # counter.c:43:25
.Ltmp16:
	*(u32 *)(r0 + 4) = w1
.Ltmp17:
.Ltmp18:
LBB0_2:
	#DEBUG_VALUE: count:value <- $r0
	#DEBUG_VALUE: count:skb <- $r6
	.loc	0 45 5                          # counter.c:45:5
.Ltmp19:
	w0 = 0
.Ltmp20:
.Ltmp21:
	exit
.Ltmp22:
.Ltmp23:
.Lfunc_end0:
	.size	count, .Lfunc_end0-count
	.cfi_endproc
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
	.uleb128 .Lfunc_begin0-.Lfunc_begin0    #   starting offset
	.uleb128 .Ltmp0-.Lfunc_begin0           #   ending offset
	.byte	1                               # Loc expr size
	.byte	81                              # DW_OP_reg1
	.byte	4                               # DW_LLE_offset_pair
	.uleb128 .Ltmp0-.Lfunc_begin0           #   starting offset
	.uleb128 .Lfunc_end0-.Lfunc_begin0      #   ending offset
	.byte	1                               # Loc expr size
	.byte	86                              # DW_OP_reg6
	.byte	0                               # DW_LLE_end_of_list
.Ldebug_loc1:
	.byte	4                               # DW_LLE_offset_pair
	.uleb128 .Ltmp6-.Lfunc_begin0           #   starting offset
	.uleb128 .Ltmp20-.Lfunc_begin0          #   ending offset
	.byte	1                               # Loc expr size
	.byte	80                              # DW_OP_reg0
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
	.byte	58                              # DW_AT_decl_file
	.byte	11                              # DW_FORM_data1
	.byte	59                              # DW_AT_decl_line
	.byte	11                              # DW_FORM_data1
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	3                               # Abbreviation Code
	.byte	38                              # DW_TAG_const_type
	.byte	0                               # DW_CHILDREN_no
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	4                               # Abbreviation Code
	.byte	15                              # DW_TAG_pointer_type
	.byte	0                               # DW_CHILDREN_no
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	5                               # Abbreviation Code
	.byte	21                              # DW_TAG_subroutine_type
	.byte	1                               # DW_CHILDREN_yes
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	39                              # DW_AT_prototyped
	.byte	25                              # DW_FORM_flag_present
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	6                               # Abbreviation Code
	.byte	5                               # DW_TAG_formal_parameter
	.byte	0                               # DW_CHILDREN_no
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	7                               # Abbreviation Code
	.byte	15                              # DW_TAG_pointer_type
	.byte	0                               # DW_CHILDREN_no
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	8                               # Abbreviation Code
	.byte	38                              # DW_TAG_const_type
	.byte	0                               # DW_CHILDREN_no
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	9                               # Abbreviation Code
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
	.byte	10                              # Abbreviation Code
	.byte	1                               # DW_TAG_array_type
	.byte	1                               # DW_CHILDREN_yes
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	11                              # Abbreviation Code
	.byte	33                              # DW_TAG_subrange_type
	.byte	0                               # DW_CHILDREN_no
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	55                              # DW_AT_count
	.byte	11                              # DW_FORM_data1
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	12                              # Abbreviation Code
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
	.byte	13                              # Abbreviation Code
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
	.byte	14                              # Abbreviation Code
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
	.byte	15                              # Abbreviation Code
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
	.byte	16                              # Abbreviation Code
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
	.byte	17                              # Abbreviation Code
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
	.byte	18                              # Abbreviation Code
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
	.byte	19                              # Abbreviation Code
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
	.byte	20                              # Abbreviation Code
	.byte	52                              # DW_TAG_variable
	.byte	0                               # DW_CHILDREN_no
	.byte	2                               # DW_AT_location
	.byte	24                              # DW_FORM_exprloc
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
	.byte	0                               # EOM(3)
	.section	.debug_info,"",@progbits
.Lcu_begin0:
	.long	.Ldebug_info_end0-.Ldebug_info_start0 # Length of Unit
.Ldebug_info_start0:
	.short	5                               # DWARF version number
	.byte	1                               # DWARF Unit Type
	.byte	8                               # Address Size (in bytes)
	.long	.debug_abbrev                   # Offset Into Abbrev. Section
	.byte	1                               # Abbrev [1] 0xc:0x15c DW_TAG_compile_unit
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
	.byte	2                               # Abbrev [2] 0x27:0x8 DW_TAG_variable
	.byte	3                               # DW_AT_name
	.long	47                              # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	33                              # DW_AT_decl_line
	.byte	3                               # Abbrev [3] 0x2f:0x5 DW_TAG_const_type
	.long	52                              # DW_AT_type
	.byte	4                               # Abbrev [4] 0x34:0x5 DW_TAG_pointer_type
	.long	57                              # DW_AT_type
	.byte	5                               # Abbrev [5] 0x39:0x10 DW_TAG_subroutine_type
	.long	73                              # DW_AT_type
                                        # DW_AT_prototyped
	.byte	6                               # Abbrev [6] 0x3e:0x5 DW_TAG_formal_parameter
	.long	73                              # DW_AT_type
	.byte	6                               # Abbrev [6] 0x43:0x5 DW_TAG_formal_parameter
	.long	74                              # DW_AT_type
	.byte	0                               # End Of Children Mark
	.byte	7                               # Abbrev [7] 0x49:0x1 DW_TAG_pointer_type
	.byte	4                               # Abbrev [4] 0x4a:0x5 DW_TAG_pointer_type
	.long	79                              # DW_AT_type
	.byte	8                               # Abbrev [8] 0x4f:0x1 DW_TAG_const_type
	.byte	9                               # Abbrev [9] 0x50:0xb DW_TAG_variable
	.byte	4                               # DW_AT_name
	.long	91                              # DW_AT_type
                                        # DW_AT_external
	.byte	0                               # DW_AT_decl_file
	.byte	48                              # DW_AT_decl_line
	.byte	2                               # DW_AT_location
	.byte	161
	.byte	0
	.byte	10                              # Abbrev [10] 0x5b:0xc DW_TAG_array_type
	.long	103                             # DW_AT_type
	.byte	11                              # Abbrev [11] 0x60:0x6 DW_TAG_subrange_type
	.long	107                             # DW_AT_type
	.byte	4                               # DW_AT_count
	.byte	0                               # End Of Children Mark
	.byte	12                              # Abbrev [12] 0x67:0x4 DW_TAG_base_type
	.byte	5                               # DW_AT_name
	.byte	6                               # DW_AT_encoding
	.byte	1                               # DW_AT_byte_size
	.byte	13                              # Abbrev [13] 0x6b:0x4 DW_TAG_base_type
	.byte	6                               # DW_AT_name
	.byte	8                               # DW_AT_byte_size
	.byte	7                               # DW_AT_encoding
	.byte	9                               # Abbrev [9] 0x6f:0xb DW_TAG_variable
	.byte	7                               # DW_AT_name
	.long	122                             # DW_AT_type
                                        # DW_AT_external
	.byte	0                               # DW_AT_decl_file
	.byte	31                              # DW_AT_decl_line
	.byte	2                               # DW_AT_location
	.byte	161
	.byte	1
	.byte	14                              # Abbrev [14] 0x7a:0x32 DW_TAG_structure_type
	.byte	40                              # DW_AT_byte_size
	.byte	0                               # DW_AT_decl_file
	.byte	25                              # DW_AT_decl_line
	.byte	15                              # Abbrev [15] 0x7e:0x9 DW_TAG_member
	.byte	8                               # DW_AT_name
	.long	172                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	26                              # DW_AT_decl_line
	.byte	0                               # DW_AT_data_member_location
	.byte	15                              # Abbrev [15] 0x87:0x9 DW_TAG_member
	.byte	10                              # DW_AT_name
	.long	193                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	27                              # DW_AT_decl_line
	.byte	8                               # DW_AT_data_member_location
	.byte	15                              # Abbrev [15] 0x90:0x9 DW_TAG_member
	.byte	13                              # DW_AT_name
	.long	210                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	28                              # DW_AT_decl_line
	.byte	16                              # DW_AT_data_member_location
	.byte	15                              # Abbrev [15] 0x99:0x9 DW_TAG_member
	.byte	19                              # DW_AT_name
	.long	260                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	29                              # DW_AT_decl_line
	.byte	24                              # DW_AT_data_member_location
	.byte	15                              # Abbrev [15] 0xa2:0x9 DW_TAG_member
	.byte	20                              # DW_AT_name
	.long	277                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	30                              # DW_AT_decl_line
	.byte	32                              # DW_AT_data_member_location
	.byte	0                               # End Of Children Mark
	.byte	4                               # Abbrev [4] 0xac:0x5 DW_TAG_pointer_type
	.long	177                             # DW_AT_type
	.byte	10                              # Abbrev [10] 0xb1:0xc DW_TAG_array_type
	.long	189                             # DW_AT_type
	.byte	11                              # Abbrev [11] 0xb6:0x6 DW_TAG_subrange_type
	.long	107                             # DW_AT_type
	.byte	2                               # DW_AT_count
	.byte	0                               # End Of Children Mark
	.byte	12                              # Abbrev [12] 0xbd:0x4 DW_TAG_base_type
	.byte	9                               # DW_AT_name
	.byte	5                               # DW_AT_encoding
	.byte	4                               # DW_AT_byte_size
	.byte	4                               # Abbrev [4] 0xc1:0x5 DW_TAG_pointer_type
	.long	198                             # DW_AT_type
	.byte	16                              # Abbrev [16] 0xc6:0x8 DW_TAG_typedef
	.long	206                             # DW_AT_type
	.byte	12                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	4                               # DW_AT_decl_line
	.byte	12                              # Abbrev [12] 0xce:0x4 DW_TAG_base_type
	.byte	11                              # DW_AT_name
	.byte	7                               # DW_AT_encoding
	.byte	4                               # DW_AT_byte_size
	.byte	4                               # Abbrev [4] 0xd2:0x5 DW_TAG_pointer_type
	.long	215                             # DW_AT_type
	.byte	17                              # Abbrev [17] 0xd7:0x21 DW_TAG_structure_type
	.byte	13                              # DW_AT_name
	.byte	16                              # DW_AT_byte_size
	.byte	0                               # DW_AT_decl_file
	.byte	11                              # DW_AT_decl_line
	.byte	15                              # Abbrev [15] 0xdc:0x9 DW_TAG_member
	.byte	14                              # DW_AT_name
	.long	198                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	13                              # DW_AT_decl_line
	.byte	0                               # DW_AT_data_member_location
	.byte	15                              # Abbrev [15] 0xe5:0x9 DW_TAG_member
	.byte	15                              # DW_AT_name
	.long	198                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	14                              # DW_AT_decl_line
	.byte	4                               # DW_AT_data_member_location
	.byte	15                              # Abbrev [15] 0xee:0x9 DW_TAG_member
	.byte	16                              # DW_AT_name
	.long	248                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	15                              # DW_AT_decl_line
	.byte	8                               # DW_AT_data_member_location
	.byte	0                               # End Of Children Mark
	.byte	16                              # Abbrev [16] 0xf8:0x8 DW_TAG_typedef
	.long	256                             # DW_AT_type
	.byte	18                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	5                               # DW_AT_decl_line
	.byte	12                              # Abbrev [12] 0x100:0x4 DW_TAG_base_type
	.byte	17                              # DW_AT_name
	.byte	7                               # DW_AT_encoding
	.byte	8                               # DW_AT_byte_size
	.byte	4                               # Abbrev [4] 0x104:0x5 DW_TAG_pointer_type
	.long	265                             # DW_AT_type
	.byte	10                              # Abbrev [10] 0x109:0xc DW_TAG_array_type
	.long	189                             # DW_AT_type
	.byte	11                              # Abbrev [11] 0x10e:0x6 DW_TAG_subrange_type
	.long	107                             # DW_AT_type
	.byte	4                               # DW_AT_count
	.byte	0                               # End Of Children Mark
	.byte	4                               # Abbrev [4] 0x115:0x5 DW_TAG_pointer_type
	.long	282                             # DW_AT_type
	.byte	10                              # Abbrev [10] 0x11a:0xc DW_TAG_array_type
	.long	189                             # DW_AT_type
	.byte	11                              # Abbrev [11] 0x11f:0x6 DW_TAG_subrange_type
	.long	107                             # DW_AT_type
	.byte	1                               # DW_AT_count
	.byte	0                               # End Of Children Mark
	.byte	18                              # Abbrev [18] 0x126:0x2d DW_TAG_subprogram
	.byte	2                               # DW_AT_low_pc
	.long	.Lfunc_end0-.Lfunc_begin0       # DW_AT_high_pc
	.byte	1                               # DW_AT_frame_base
	.byte	90
                                        # DW_AT_call_all_calls
	.byte	21                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	35                              # DW_AT_decl_line
                                        # DW_AT_prototyped
	.long	189                             # DW_AT_type
                                        # DW_AT_external
	.byte	19                              # Abbrev [19] 0x135:0x9 DW_TAG_formal_parameter
	.byte	0                               # DW_AT_location
	.byte	22                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	35                              # DW_AT_decl_line
	.long	339                             # DW_AT_type
	.byte	20                              # Abbrev [20] 0x13e:0xb DW_TAG_variable
	.byte	2                               # DW_AT_location
	.byte	145
	.byte	4
	.byte	10                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	37                              # DW_AT_decl_line
	.long	198                             # DW_AT_type
	.byte	21                              # Abbrev [21] 0x149:0x9 DW_TAG_variable
	.byte	1                               # DW_AT_location
	.byte	13                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	38                              # DW_AT_decl_line
	.long	210                             # DW_AT_type
	.byte	0                               # End Of Children Mark
	.byte	4                               # Abbrev [4] 0x153:0x5 DW_TAG_pointer_type
	.long	344                             # DW_AT_type
	.byte	17                              # Abbrev [17] 0x158:0xf DW_TAG_structure_type
	.byte	24                              # DW_AT_name
	.byte	4                               # DW_AT_byte_size
	.byte	0                               # DW_AT_decl_file
	.byte	7                               # DW_AT_decl_line
	.byte	15                              # Abbrev [15] 0x15d:0x9 DW_TAG_member
	.byte	23                              # DW_AT_name
	.long	198                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	8                               # DW_AT_decl_line
	.byte	0                               # DW_AT_data_member_location
	.byte	0                               # End Of Children Mark
	.byte	0                               # End Of Children Mark
.Ldebug_info_end0:
	.section	.debug_str_offsets,"",@progbits
	.long	104                             # Length of String Offsets Set
	.short	5
	.short	0
.Lstr_offsets_base0:
	.section	.debug_str,"MS",@progbits,1
.Linfo_string0:
	.asciz	"Debian clang version 19.1.7 (3~deb12u1)" # string offset=0
.Linfo_string1:
	.asciz	"counter.c"                     # string offset=40
.Linfo_string2:
	.asciz	"/tmp/hA"                       # string offset=50
.Linfo_string3:
	.asciz	"lookup"                        # string offset=58
.Linfo_string4:
	.asciz	"_license"                      # string offset=65
.Linfo_string5:
	.asciz	"char"                          # string offset=74
.Linfo_string6:
	.asciz	"__ARRAY_SIZE_TYPE__"           # string offset=79
.Linfo_string7:
	.asciz	"acc"                           # string offset=99
.Linfo_string8:
	.asciz	"type"                          # string offset=103
.Linfo_string9:
	.asciz	"int"                           # string offset=108
.Linfo_string10:
	.asciz	"key"                           # string offset=112
.Linfo_string11:
	.asciz	"unsigned int"                  # string offset=116
.Linfo_string12:
	.asciz	"u32"                           # string offset=129
.Linfo_string13:
	.asciz	"value"                         # string offset=133
.Linfo_string14:
	.asciz	"packets"                       # string offset=139
.Linfo_string15:
	.asciz	"protocol"                      # string offset=147
.Linfo_string16:
	.asciz	"bytes"                         # string offset=156
.Linfo_string17:
	.asciz	"unsigned long long"            # string offset=162
.Linfo_string18:
	.asciz	"u64"                           # string offset=181
.Linfo_string19:
	.asciz	"max_entries"                   # string offset=185
.Linfo_string20:
	.asciz	"pinning"                       # string offset=197
.Linfo_string21:
	.asciz	"count"                         # string offset=205
.Linfo_string22:
	.asciz	"skb"                           # string offset=211
.Linfo_string23:
	.asciz	"len"                           # string offset=215
.Linfo_string24:
	.asciz	"__sk_buff"                     # string offset=219
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
	.section	.debug_addr,"",@progbits
	.long	.Ldebug_addr_end0-.Ldebug_addr_start0 # Length of contribution
.Ldebug_addr_start0:
	.short	5                               # DWARF version number
	.byte	8                               # Address size
	.byte	0                               # Segment selector size
.Laddr_table_base0:
	.quad	_license
	.quad	acc
	.quad	.Lfunc_begin0
.Ldebug_addr_end0:
	.section	.BTF,"",@progbits
	.short	60319                           # 0xeb9f
	.byte	1
	.byte	0
	.long	24
	.long	0
	.long	528
	.long	528
	.long	498
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
	.long	470                             # BTF_KIND_INT(id = 22)
	.long	16777216                        # 0x1000000
	.long	1
	.long	16777224                        # 0x1000008
	.long	0                               # BTF_KIND_ARRAY(id = 23)
	.long	50331648                        # 0x3000000
	.long	0
	.long	22
	.long	4
	.long	4
	.long	475                             # BTF_KIND_VAR(id = 24)
	.long	234881024                       # 0xe000000
	.long	23
	.long	1
	.long	484                             # BTF_KIND_DATASEC(id = 25)
	.long	251658241                       # 0xf000001
	.long	0
	.long	17
	.long	acc
	.long	40
	.long	490                             # BTF_KIND_DATASEC(id = 26)
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
	.ascii	"/tmp/hA/counter.c"             # string offset=154
	.byte	0
	.ascii	"__attribute__((section(\"tc\"), used)) int count(struct __sk_buff *skb)" # string offset=172
	.byte	0
	.ascii	"    u32 key = 0;"              # string offset=242
	.byte	0
	.ascii	"    struct value *value = lookup(&acc, &key);" # string offset=259
	.byte	0
	.ascii	"    if (value) {"              # string offset=305
	.byte	0
	.ascii	"        __sync_fetch_and_add(&value->packets, 1);" # string offset=322
	.byte	0
	.ascii	"        __sync_fetch_and_add(&value->bytes, skb->len);" # string offset=372
	.byte	0
	.ascii	"        value->protocol = 7;"  # string offset=427
	.byte	0
	.ascii	"    return 0;"                 # string offset=456
	.byte	0
	.ascii	"char"                          # string offset=470
	.byte	0
	.ascii	"_license"                      # string offset=475
	.byte	0
	.ascii	".maps"                         # string offset=484
	.byte	0
	.ascii	"license"                       # string offset=490
	.byte	0
	.section	.BTF.ext,"",@progbits
	.short	60319                           # 0xeb9f
	.byte	1
	.byte	0
	.long	32
	.long	0
	.long	20
	.long	20
	.long	156
	.long	176
	.long	0
	.long	8                               # FuncInfo
	.long	151                             # FuncInfo section string offset=151
	.long	1
	.long	.Lfunc_begin0
	.long	21
	.long	16                              # LineInfo
	.long	151                             # LineInfo section string offset=151
	.long	9
	.long	.Lfunc_begin0
	.long	154
	.long	172
	.long	35840                           # Line 35 Col 0
	.long	.Ltmp4
	.long	154
	.long	242
	.long	37897                           # Line 37 Col 9
	.long	.Ltmp5
	.long	154
	.long	259
	.long	38939                           # Line 38 Col 27
	.long	.Ltmp8
	.long	154
	.long	305
	.long	40969                           # Line 40 Col 9
	.long	.Ltmp13
	.long	154
	.long	322
	.long	41993                           # Line 41 Col 9
	.long	.Ltmp14
	.long	154
	.long	372
	.long	43058                           # Line 42 Col 50
	.long	.Ltmp15
	.long	154
	.long	372
	.long	43017                           # Line 42 Col 9
	.long	.Ltmp16
	.long	154
	.long	427
	.long	44057                           # Line 43 Col 25
	.long	.Ltmp19
	.long	154
	.long	456
	.long	46085                           # Line 45 Col 5
	.addrsig
	.addrsig_sym count
	.addrsig_sym acc
	.addrsig_sym _license
	.section	.debug_line,"",@progbits
.Lline_table_start0:
