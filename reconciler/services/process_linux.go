package services

import "syscall"

// endWithParent asks the kernel to send sig to the child when the thread that
// started it ends, which is how a server follows a parent that was killed.
func endWithParent(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }
