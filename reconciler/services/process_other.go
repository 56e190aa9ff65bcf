//go:build !linux

package services

import "syscall"

// endWithParent does nothing: only Linux ties a child's life to its parent's.
// What a killed parent leaves is ended by the next start on its directory.
func endWithParent(*syscall.SysProcAttr, syscall.Signal) {}
