// Package ntf is what the test files of nats.go begin with: a server that answers for as long as they run. Theirs has
// others started for it; here the package testservice starts each, so any server will do.
package ntf

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"
)

// ready is how long a server may take to listen.
const ready = 30 * time.Second

// Options are what the test files say of it.
type Options struct {
	AdvertiseHost string
}

// Service is a server under test.
type Service struct {
	port    int
	command *exec.Cmd
}

// New starts the server that NATTERJACK_SERVER names.
func New(_ context.Context, _ Options) (*Service, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	command := exec.Command(os.Getenv("NATTERJACK_SERVER"), "-a", "127.0.0.1", "-p", fmt.Sprint(port))
	if err := command.Start(); err != nil {
		return nil, err
	}
	service := &Service{port, command}
	for end := time.Now().Add(ready); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			conn.Close()
			return service, nil
		}
	}
	service.Close()
	return nil, fmt.Errorf("no server on port %d", port)
}

// Port is where it listens.
func (s *Service) Port() int {
	return s.port
}

// Close ends it.
func (s *Service) Close() {
	_ = s.command.Process.Kill()
	_ = s.command.Wait()
}
