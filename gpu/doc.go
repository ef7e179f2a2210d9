// Package gpu is the CUDA engine: it runs programs by the kernels in cuda/, with the bits of the laws in op/.
//
// What plans and launches is plain Go and builds everywhere. Only driver.go and calls.go talk to a driver, under the build tag
// cuda, through the loader in cuda/loader, which needs no driver to link or to start.
package gpu
