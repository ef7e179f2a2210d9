package op

import "math"

// The constants of the primitive functions, as hexadecimal floats, which are exact. They stand here and nowhere else: the
// laws read them by name, and Constants hands them to the generators of the assembly twins and of the CUDA header.

// The polynomials are our own minimax fits in the error of the function in units in the last place: a linear program on 400
// Chebyshev nodes gives the coefficients, the lowest is rounded to binary32, the others are fitted again, and so on upwards.
// The comment behind a polynomial is the interval of its fit and its largest error, rounded coefficients included.
const (
	round1    float32 = 0x1.8p+23 // t + round1 - round1 rounds |t| < 2^22 to an integer, which stands in the low bits of the sum
	roundHalf float32 = 0x1.8p+22 // the same to a multiple of 1/2, for |t| < 2^21
	round2    float32 = 0x1p+24   // the same to a multiple of 2, for 0 <= t < 2^24
	ln2Hi     float32 = 0x1.62e4p-1
	ln2Lo     float32 = 0x1.7f7d1cp-20 // ln 2 = ln2Hi + ln2Lo; ln2Hi has 15 bits, so its product with a 9-bit integer is exact

	expLog2E float32 = 0x1.715476p+0 // 1 / ln 2
	expMin   float32 = -0x1.ap+6     // -104: below, the result is +0
	expMax   float32 = 0x1.64p+6     // 89: above, the result is +inf
	expQ0    float32 = 0x1p-1        // (e^r - 1 - r) / r^2 = Q0 + Q1 r + .. + Q5 r^5 on |r| <= 0.34662; 0.0025 ULP of e^r
	expQ1    float32 = 0x1.555554p-3
	expQ2    float32 = 0x1.5554ecp-5
	expQ3    float32 = 0x1.111328p-7
	expQ4    float32 = 0x1.6d4842p-10
	expQ5    float32 = 0x1.9dc30ep-13

	logLowest uint32  = 0x3f2aaaab    // the bits of 2/3: the significand is taken in [2/3, 4/3)
	logScale  float32 = 0x1p+23       // makes subnormals normal
	logL0     float32 = 0x1.555556p-2 // (log(1+f) - f + f^2/2) / f^3 = L0 + .. + L8 f^8 on |f| <= 1/3; 0.015 ULP of log(1+f)
	logL1     float32 = -0x1.ffff18p-3
	logL2     float32 = 0x1.9997eep-3
	logL3     float32 = -0x1.55978cp-3
	logL4     float32 = 0x1.24eb6ep-3
	logL5     float32 = -0x1.f3b02ep-4
	logL6     float32 = 0x1.b91ef8p-4
	logL7     float32 = -0x1.06c2b0p-3
	logL8     float32 = 0x1.e9d19cp-4

	tanhSplit float32 = 1              // below, the polynomial; from here on, the exponential
	tanhMax   float32 = 10             // from here on the result is 1
	tanhT0    float32 = -0x1.555552p-2 // (tanh(x) / x - 1) / u = T0 + .. + T7 u^7, u = x^2, on x < 1; 0.009 ULP of x
	tanhT1    float32 = 0x1.11103ap-3
	tanhT2    float32 = -0x1.b9f65ap-5
	tanhT3    float32 = 0x1.64ba8ap-6
	tanhT4    float32 = -0x1.18bbf8p-7
	tanhT5    float32 = 0x1.8ed352p-9
	tanhT6    float32 = -0x1.ac8f80p-11
	tanhT7    float32 = 0x1.e2f164p-14

	sinPi   float32 = 0x1.921fb6p+1
	sinPiLo float32 = -0x1.777a5cp-24 // pi = sinPi + sinPiLo
	sinS0   float32 = -0x1.4abbcep+2  // (sin(pi r) / r - pi) / u = S0 + .. + S3 u^3, u = r^2, on |r| <= 1/4; 0.0015 ULP
	sinS1   float32 = 0x1.466b78p+1
	sinS2   float32 = -0x1.32adccp-1
	sinS3   float32 = 0x1.445104p-4

	cosHi float32 = -0x1.3bd3ccp+2
	cosLo float32 = -0x1.37c8bcp-23 // -pi^2/2 = cosHi + cosLo
	cosC0 float32 = 0x1.03c1e8p+2   // (cos(pi r) - 1 + pi^2/2 u) / u^2 = C0 + C1 u + C2 u^2, u = r^2, on |r| <= 1/4; 0.0018 ULP of 1
	cosC1 float32 = -0x1.55c9dep+0
	cosC2 float32 = 0x1.dac7d4p-3
)

// Constant is one number of a primitive function.
type Constant struct {
	Func string // "shared", or the function's name
	Name string // upper-case, unique
	Bits uint32 // the bits of a binary32, but for LOG_LOWEST, which is used as an integer
}

// Constants lists the constants of all primitive functions, grouped by function.
func Constants() []Constant {
	var list []Constant
	group := func(name string, rows ...Constant) {
		for _, r := range rows {
			list = append(list, Constant{name, r.Name, r.Bits})
		}
	}
	row := func(name string, x float32) Constant { return Constant{Name: name, Bits: math.Float32bits(x)} }
	group("shared", row("ROUND1", round1), row("ROUND_HALF", roundHalf), row("ROUND2", round2),
		row("LN2_HI", ln2Hi), row("LN2_LO", ln2Lo))
	group("exp", row("EXP_LOG2E", expLog2E), row("EXP_MIN", expMin), row("EXP_MAX", expMax), row("EXP_Q0", expQ0),
		row("EXP_Q1", expQ1), row("EXP_Q2", expQ2), row("EXP_Q3", expQ3), row("EXP_Q4", expQ4), row("EXP_Q5", expQ5))
	group("log", Constant{Name: "LOG_LOWEST", Bits: logLowest}, row("LOG_SCALE", logScale), row("LOG_L0", logL0),
		row("LOG_L1", logL1), row("LOG_L2", logL2), row("LOG_L3", logL3), row("LOG_L4", logL4), row("LOG_L5", logL5),
		row("LOG_L6", logL6), row("LOG_L7", logL7), row("LOG_L8", logL8))
	group("tanh", row("TANH_SPLIT", tanhSplit), row("TANH_MAX", tanhMax), row("TANH_T0", tanhT0), row("TANH_T1", tanhT1),
		row("TANH_T2", tanhT2), row("TANH_T3", tanhT3), row("TANH_T4", tanhT4), row("TANH_T5", tanhT5),
		row("TANH_T6", tanhT6), row("TANH_T7", tanhT7))
	group("sinpi", row("SIN_PI", sinPi), row("SIN_PI_LO", sinPiLo), row("SIN_S0", sinS0), row("SIN_S1", sinS1),
		row("SIN_S2", sinS2), row("SIN_S3", sinS3), row("COS_HI", cosHi), row("COS_LO", cosLo), row("COS_C0", cosC0),
		row("COS_C1", cosC1), row("COS_C2", cosC2))
	return list
}
