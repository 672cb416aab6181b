// Package intercept answers system calls in the kernel's place. With it a test
// sees what a program asks of the system, and gives it the answers of other
// file systems and kernels. It works on Linux only.
package intercept
