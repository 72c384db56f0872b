// Starts the server under test, runs every case on one of its own, and counts them.
// The binary is the one NATTERJACK_SERVER names.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	caseLimit  = 240 * time.Second
	startLimit = 60 * time.Second
	soon       = 10 * time.Second
	probe      = 10 * time.Millisecond
)

// bench is what a case works with.
type bench struct {
	ctx    context.Context
	server *server
	nc     *nats.Conn
	js     jetstream.JetStream
}

type namedCase struct {
	name string
	run  func(*bench)
}

// must ends the case when there is an error.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// got is must for calls with a result.
func got[T any](value T, err error) T {
	must(err)
	return value
}

// same ends the case when the two differ.
func same(expected, found any) {
	if !reflect.DeepEqual(expected, found) {
		panic(fmt.Errorf("expected %v, found %v", expected, found))
	}
}

// eventually waits until the condition holds, or ends the case at the deadline.
func eventually(what string, limit time.Duration, condition func() bool) {
	deadline := time.Now().Add(limit)
	for time.Now().Before(deadline) {
		if condition() {
			return
		}
		time.Sleep(probe)
	}
	panic(fmt.Errorf("%s: not so after %v", what, limit))
}

// server is a process with its own store folder.
type server struct {
	folder  string
	url     string
	process *exec.Cmd
}

// start starts, or starts again on the same store; the port is a free one where it is -1.
func (s *server) start(port string) {
	arguments := []string{"-a", "127.0.0.1", "-p", port, "-js", "-sd", filepath.Join(s.folder, "store")}
	arguments = append(arguments, "--ports_file_dir", s.folder, "-l", filepath.Join(s.folder, "server.log"))
	s.process = exec.Command(os.Getenv("NATTERJACK_SERVER"), arguments...)
	must(s.process.Start())
	eventually("the ports file", startLimit, func() bool {
		names := got(filepath.Glob(filepath.Join(s.folder, fmt.Sprintf("*_%d.ports", s.process.Process.Pid))))
		if len(names) == 0 {
			return false
		}
		var ports struct{ Nats []string }
		text := got(os.ReadFile(names[0]))
		if json.Unmarshal(text, &ports) != nil || len(ports.Nats) == 0 {
			return false
		}
		s.url = ports.Nats[0]
		return true
	})
}

// kill ends the process as kill -9 does.
func (s *server) kill() {
	must(s.process.Process.Kill())
	_ = s.process.Wait()
}

func runCase(c namedCase) (failure error) {
	s := &server{folder: got(os.MkdirTemp("", "natterjack-go-"))}
	defer os.RemoveAll(s.folder)
	ctx, cancel := context.WithTimeout(context.Background(), caseLimit)
	defer cancel()
	defer func() {
		if caught := recover(); caught != nil {
			failure = fmt.Errorf("%v", caught)
		}
	}()
	s.start("-1")
	defer s.kill()
	nc := got(nats.Connect(s.url, nats.ReconnectWait(50*time.Millisecond), nats.MaxReconnects(-1)))
	defer nc.Close()
	c.run(&bench{ctx: ctx, server: s, nc: nc, js: got(jetstream.New(nc))})
	return nil
}

func main() {
	passed, failed := 0, 0
	for _, c := range slices.Concat(coreCases, streamCases, consumerCases, schemaCases) {
		if err := runCase(c); err != nil {
			failed++
			fmt.Printf("FAILED %s: %v\n", c.name, err)
			continue
		}
		passed++
		fmt.Printf("ok %s\n", c.name)
	}
	fmt.Printf("clients: %d passed, %d failed\n", passed, failed)
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}
