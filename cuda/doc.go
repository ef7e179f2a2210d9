// Package cuda holds the kernels: their source, and with the build tag cuda what nvcc made of it. See README.md beside.
package cuda
