package services

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// State tells other processes of servers that one process runs for all of them
// (cmd/tillservices does). It is a file that exists while the servers run.
type State struct {
	// PID is the process that runs the servers and ends them when told to.
	PID int `json:"pid"`
	// Postgres is the connection string; empty where PostgresMissing says why.
	Postgres        string `json:"postgres,omitempty"`
	PostgresMissing string `json:"postgres_missing,omitempty"`
	// Kafka is the address of the bootstrap; empty where KafkaMissing says why.
	Kafka        string `json:"kafka,omitempty"`
	KafkaMissing string `json:"kafka_missing,omitempty"`
}

// StateDir is the directory of the shared servers: $TILLGATE_SERVICES, else
// .services beside the go.mod that is found from the working directory upwards.
func StateDir() (string, error) {
	if dir := os.Getenv("TILLGATE_SERVICES"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the services' directory: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, ".services"), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("find the services' directory: there is no go.mod above the working directory")
		}
		dir = parent
	}
}

// ReadState reads the state in a directory. running is false where there is
// none, or where the process it names has ended.
func ReadState(dir string) (s State, running bool, err error) {
	b, err := os.ReadFile(statePath(dir))
	if errors.Is(err, os.ErrNotExist) {
		return State{}, false, nil
	}
	if err != nil {
		return State{}, false, fmt.Errorf("read the services' state: %w", err)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return State{}, false, fmt.Errorf("read the services' state: %w", err)
	}
	// The pid may belong to another program by now, after a reboot.
	if s.PID <= 1 || !alive(s.PID) || !strings.Contains(commandLine(context.Background(), s.PID), supervisorWord) {
		return State{}, false, nil
	}
	return s, true, nil
}

// supervisorWord is in the command line of every process that writes a State.
const supervisorWord = "tillservices"

// Write puts the state into a directory at once, readable by its owner only,
// for it holds a password.
func (s State) Write(dir string) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("write the services' state: %w", err)
	}
	unfinished := statePath(dir) + ".unfinished"
	if err := os.WriteFile(unfinished, b, 0o600); err != nil {
		return fmt.Errorf("write the services' state: %w", err)
	}
	if err := os.Rename(unfinished, statePath(dir)); err != nil {
		return fmt.Errorf("write the services' state: %w", err)
	}
	return nil
}

// RemoveState removes the state from a directory.
func RemoveState(dir string) error {
	if err := os.Remove(statePath(dir)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the services' state: %w", err)
	}
	return nil
}

func statePath(dir string) string { return filepath.Join(dir, "state.json") }
