package main

import "strings"

// classes are the columns of the instruction mix, and the instructions in each; those in none, spills among them, are "other". A U in
// front, for what is computed once a warp, does not matter.
var classes = []struct{ name, instructions string }{
	{"FFMA", "FFMA FFMA2"},
	{"FP32", "FADD FMUL FMNMX FMNMX3 FSEL FSET FSETP FCHK FSWZADD FADD2 FMUL2 FADD32I FMUL32I FFMA32I"},
	{"XU", "MUFU I2F I2FP F2I F2IP F2F F2FP FRND I2I"},
	{"MMA", "IMMA HMMA DMMA BMMA QMMA OMMA IGMMA HGMMA QGMMA BGMMA"},
	{"int", "IADD IADD2 IADD3 IADD32I IMAD IMAD32I IMUL IDP IDP4A IABS ISETP IMNMX VIADD VIADDMNMX VIMNMX VIMNMX3 VABSDIFF LEA LOP3 LOP LOP32I PLOP3 SHF SHL SHR PRMT POPC FLO BREV BMSK SGXT"},
	{"move", "MOV MOV32I SEL S2R S2UR CS2R R2UR R2P P2R LDC LDCU IMOV"},
	{"LDG", "LDG"},
	{"STG", "STG"},
	{"LDS", "LDS LDSM"},
	{"STS", "STS STSM"},
	{"async", "LDGSTS"},
	{"warp", "SHFL VOTE VOTEU MATCH REDUX CREDUX WARPSYNC ELECT"},
	{"bar", "BAR MEMBAR DEPBAR LDGDEPBAR ARRIVES SYNCS FENCE ERRBAR CCTL"},
	{"ctrl", "BRA EXIT CALL RET BSSY BSYNC BREAK KILL YIELD NANOSLEEP"},
}

var classOf = func() map[string]string {
	of := map[string]string{}
	for _, c := range classes {
		for _, name := range strings.Fields(c.instructions) {
			of[name] = c.name
		}
	}
	return of
}()

// class of an instruction; "" for what only fills up.
func (i instruction) class() string {
	switch {
	case i.name == "NOP":
		return ""
	case i.name == "IMAD" && strings.HasPrefix(i.suffix, ".MOV"), // moves through units that are free
		i.name == "HFMA2" && len(i.operands) > 2 && i.operands[1] == "-RZ" && i.operands[2] == "RZ":
		return "move"
	}
	if c, ok := classOf[i.name]; ok {
		return c
	}
	if c, ok := classOf[strings.TrimPrefix(i.name, "U")]; ok {
		return c
	}
	return "other"
}

// wide tells whether it moves 16 bytes a thread.
func (i instruction) wide() bool { return strings.Contains(i.suffix, ".128") }

// mix counts instructions by class; "all" of them; and by class + ".128" those that are wide.
func mix(code []instruction) map[string]int {
	n := map[string]int{}
	for _, i := range code {
		c := i.class()
		if c == "" {
			continue
		}
		n["all"]++
		n[c]++
		if i.wide() {
			n[c+".128"]++
		}
	}
	return n
}
