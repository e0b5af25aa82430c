/*
Copyright The MySQL API Server Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package netlab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hub is the network that the tests of this package share.
var hub *Hub

func TestMain(m *testing.M) {
	os.Exit(Main(func(h *Hub) int {
		hub = h
		return m.Run()
	}))
}

// shortly is longer than anything takes that arrives, and bounds the wait for what does not.
const shortly = time.Second

// place makes a place with a server of its own, that says hello to whoever sends a line.
func place(t *testing.T) *Place {
	t.Helper()
	p, err := hub.NewPlace()
	if err != nil {
		t.Fatal(err)
	}
	var listener net.Listener
	if err := inNamespace(p.ns, p.hub, func() (err error) {
		listener, err = net.Listen("tcp", p.IP.String()+":7000")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// reach connects, sends a word and waits for its echo.
func reach(from, to *Place) error {
	ctx, cancel := context.WithTimeout(context.Background(), shortly)
	defer cancel()
	conn, err := from.Dial(ctx, to.IP.String()+":7000")
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(shortly))
	if _, err := io.WriteString(conn, "hello"); err != nil {
		return err
	}
	_, err = io.ReadFull(conn, make([]byte, 5))
	return err
}

func TestPlacesReachEachOtherUnlessCut(t *testing.T) {
	a, b, c := place(t), place(t), place(t)
	for _, pair := range [][2]*Place{{a, b}, {b, a}, {hub.Place, a}, {a, c}} {
		if err := reach(pair[0], pair[1]); err != nil {
			t.Errorf("%s does not reach %s: %v", pair[0].IP, pair[1].IP, err)
		}
	}
	if err := a.Cut(b.IP); err != nil {
		t.Fatal(err)
	}
	if err := reach(a, b); err == nil {
		t.Error("a cut line carries")
	}
	if err := reach(a, c); err != nil {
		t.Errorf("another line was cut, too: %v", err)
	}
	if err := a.Heal(b.IP); err != nil {
		t.Fatal(err)
	}
	if err := reach(a, b); err != nil {
		t.Errorf("the healed line: %v", err)
	}
	if err := a.Heal(b.IP); err != nil {
		t.Errorf("healing twice: %v", err)
	}
}

// TestOneDirectionIsCut sends over a connection that was there before the cut: only one side's words get lost.
func TestOneDirectionIsCut(t *testing.T) {
	a, b := place(t), place(t)
	var listener *net.UDPConn
	if err := inNamespace(b.ns, b.hub, func() (err error) {
		listener, err = net.ListenUDP("udp", &net.UDPAddr{IP: b.IP.AsSlice(), Port: 7001})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var conn *net.UDPConn
	if err := inNamespace(a.ns, a.hub, func() (err error) {
		conn, err = net.DialUDP("udp", nil, &net.UDPAddr{IP: b.IP.AsSlice(), Port: 7001})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	receive := func(c *net.UDPConn) (string, *net.UDPAddr, error) {
		_ = c.SetReadDeadline(time.Now().Add(shortly))
		buffer := make([]byte, 10)
		n, from, err := c.ReadFromUDP(buffer)
		return string(buffer[:n]), from, err
	}
	if _, err := conn.Write([]byte("1")); err != nil {
		t.Fatal(err)
	}
	_, from, err := receive(listener)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Cut(b.IP); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("2")); err != nil {
		t.Fatal(err)
	}
	if text, _, err := receive(listener); err == nil {
		t.Errorf("%q arrived over a cut line", text)
	}
	if _, err := listener.WriteToUDP([]byte("3"), from); err != nil {
		t.Fatal(err)
	}
	if text, _, err := receive(conn); err != nil || text != "3" {
		t.Errorf("the other direction carries %q, %v", text, err)
	}
}

func TestProgramSeesItselfAloneAndEndsWithItsChildren(t *testing.T) {
	p := place(t)
	dir := t.TempDir()
	hosts, output := filepath.Join(dir, "hosts"), filepath.Join(dir, "output")
	if err := os.WriteFile(hosts, []byte("its own hosts\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(output)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd, err := p.Start(Program{
		Argv:   []string{"/bin/sh", "-c", "cat /etc/hosts; echo pid $$; sleep 1000 & echo started; wait"},
		Env:    []string{"PATH=/bin:/usr/bin"},
		Mounts: map[string]string{"/etc/hosts": hosts}, Output: file,
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var child int
	for deadline := time.Now().Add(20 * time.Second); child == 0 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		child, _ = Child(cmd.Process.Pid, "sleep")
	}
	if child == 0 {
		t.Error("its child is not found")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	if err := syscall.Kill(child, 0); child != 0 && !errors.Is(err, syscall.ESRCH) {
		t.Errorf("its child outlives it: %v", err)
	}
	text, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(text); !strings.Contains(got, "its own hosts") || !strings.Contains(got, "pid 1\n") {
		t.Errorf("it saw %q", got)
	}
	if own, err := os.ReadFile("/etc/hosts"); err == nil && strings.Contains(string(own), "its own hosts") {
		t.Error("its mount is seen outside")
	}
}

func TestChildOfNobodyIsAnError(t *testing.T) {
	cmd := exec.Command("/bin/sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	if pid, err := Child(cmd.Process.Pid, "sleep"); err == nil {
		t.Errorf("%s", fmt.Sprint("found ", pid))
	}
}
