// Package testservice starts servers for the test files of nats.go: each is the binary that NATTERJACK_SERVER names, with
// a configuration and a folder of its own. What a single plain server cannot be (a cluster, a leaf node, TLS, websockets)
// skips the test that asks for it.
package testservice

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// ready is how long a server may take to listen, and JetStream to answer.
const ready = 30 * time.Second

// Client starts servers.
type Client struct{}

// New gives one; the address is of a service that is not needed.
func New(testing.TB, string) *Client {
	return &Client{}
}

// Close has nothing to close.
func (c *Client) Close(testing.TB) {}

// WaitForJetStream waits until JetStream answers.
func (c *Client) WaitForJetStream(t testing.TB, nc *nats.Conn) {
	t.Helper()
	js, err := nc.JetStream()
	for end := time.Now().Add(ready); err == nil && time.Now().Before(end); {
		if _, asked := js.AccountInfo(); asked == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("JetStream does not answer")
}

// TLSMaterial is what no server has.
type TLSMaterial struct {
	CAPEM, ClientCertPEM, ClientKeyPEM string
}

// Server is one server.
type Server struct {
	URL, Name, ID, Cluster string
	Port                   int
	Ports                  map[string]int
	folder                 string
	config                 config
	hasJetStream           bool
	command                *exec.Cmd
}

// Instance is what was started together.
type Instance struct {
	ID      string
	Servers []*Server
	TLS     *TLSMaterial
}

// CreateServer starts a server.
func (c *Client) CreateServer(t testing.TB, jetStream bool, options ...CreateOption) *Instance {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	name := fmt.Sprintf("S%d", port)
	server := &Server{
		URL:          fmt.Sprintf("nats://127.0.0.1:%d", port),
		Name:         name,
		ID:           name,
		Port:         port,
		Ports:        map[string]int{"client": port},
		folder:       t.TempDir(),
		hasJetStream: jetStream,
	}
	server.change(t, options)
	server.start(t)
	return &Instance{ID: name, Servers: []*Server{server}}
}

// CreateCluster skips the test.
func (c *Client) CreateCluster(t testing.TB, _ int, _ bool, _ ...CreateOption) *Instance {
	t.Helper()
	t.Skip("starts a cluster")
	return nil
}

// change writes the configuration anew.
func (s *Server) change(t testing.TB, options []CreateOption) {
	t.Helper()
	for _, option := range options {
		option(&s.config)
	}
	if s.config.missing != "" {
		t.Skip("asks for " + s.config.missing)
	}
	lines := []string{fmt.Sprintf("listen: \"127.0.0.1:%d\"", s.Port), "server_name: " + s.Name}
	if s.hasJetStream {
		store := filepath.Join(s.folder, "store")
		lines = append(lines, fmt.Sprintf("jetstream {\n store_dir: %q\n %s\n}", store, s.config.jetStream))
	}
	lines = append(lines, s.config.accounts, s.config.authorization, s.config.systemAccount, s.config.topLevel, "")
	text := []byte(strings.Join(lines, "\n"))
	if err := os.WriteFile(s.file(), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) file() string {
	return filepath.Join(s.folder, "server.conf")
}

func (s *Server) start(t testing.TB) {
	t.Helper()
	log := filepath.Join(s.folder, "log")
	s.command = exec.Command(os.Getenv("NATTERJACK_SERVER"), "-c", s.file(), "-l", log)
	if err := s.command.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(ready); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.Port)); err == nil {
			conn.Close()
			return
		}
	}
	said, _ := os.ReadFile(log)
	t.Fatalf("the server does not listen: %s", said)
}

func (s *Server) stop() {
	if s.command != nil {
		_ = s.command.Process.Signal(syscall.SIGTERM)
		_ = s.command.Wait()
		s.command = nil
	}
}

// Destroy ends all of it.
func (i *Instance) Destroy(testing.TB) {
	for _, server := range i.Servers {
		server.stop()
	}
}

// StopServer ends a server, which keeps what it stored.
func (i *Instance) StopServer(_ testing.TB, server *Server) {
	server.stop()
}

// StartServer starts it again.
func (i *Instance) StartServer(t testing.TB, server *Server) {
	t.Helper()
	server.start(t)
}

// UpdateServer changes its configuration, which is not in force before it is read again.
func (i *Instance) UpdateServer(t testing.TB, server *Server, options ...CreateOption) {
	t.Helper()
	server.change(t, options)
}

// ReloadServer has it read its configuration again, and waits until its log says so.
func (i *Instance) ReloadServer(t testing.TB, server *Server) {
	t.Helper()
	log := filepath.Join(server.folder, "log")
	said := func() int {
		text, _ := os.ReadFile(log)
		return strings.Count(string(text), "Reloaded server configuration")
	}
	before := said()
	if err := server.command.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(ready); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if said() > before {
			return
		}
	}
	t.Fatal("the configuration was not read again")
}
