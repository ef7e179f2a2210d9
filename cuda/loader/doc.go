// Package loader lets a program that calls the CUDA driver link and start on any machine. It defines every driver function that
// the program calls, as a jump into the real driver, which is opened at the first call: libcuda.so.1, or the library that the
// environment variable LOCKSTEP_CUDA_DRIVER names. Without a driver there are no devices, and every other call fails.
//
// It is only built with the tag cuda. The archive lib/libcuda.a is empty: it is there because gorgonia.org/cu asks the linker
// for a libcuda. The functions are listed in syms.h, which gensyms makes: go generate ./cuda/loader, with the tag cuda.
package loader
