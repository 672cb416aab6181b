package tlc

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// distribute answers with TLC's own server and its worker processes on this
// machine. TLC's server does not check liveness, so this does not either.
//
// They listen on the loopback address only, but have no authentication: every
// process of this machine reaches them. If another process has taken the port
// before the server has it, all begin again on another port.
//
// Where the server gives no answer, a single process is asked again. The server
// does not say which invariant is violated and prints only the end of the
// counterexample. And it fails and loses the count if a worker comes after the
// others have done all the work, as it may where that is little
// (TLCServer.getNewStates finds no states for it).
func (r Run) distribute(ctx context.Context, dir string, found *findings) ([]byte, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	address := "-Dtlc2.tool.distributed.TLCServer.port=" + strconv.Itoa(port)
	server := r.command(dir, "tlc2.tool.distributed.TLCServer",
		[]string{"-tool", "-metadir", filepath.Join(dir, "tmp"), r.module()}, address)

	workers, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	for range r.Distributed {
		worker := r.command(dir, "tlc2.tool.distributed.TLCWorker", []string{"127.0.0.1"},
			address, "-Dtlc2.tool.distributed.TLCWorker.threadCount=1")
		wait, err := start(workers, worker)
		if err != nil {
			stop()
			running.Wait()
			return nil, fmt.Errorf("%w: starting a worker: %w", ErrTLC, err)
		}
		running.Go(func() { wait() }) // ends with the server, or is stopped below
	}
	log, err := observe(ctx, server, found, r.report)
	stop()
	running.Wait()
	if err != nil || ctx.Err() != nil || found.success {
		return log, err
	}
	switch {
	case found.failure != nil && strings.Contains(found.failure.Error(), "Port already in use"):
		*found = findings{}
		again, err := r.distribute(ctx, dir, found)
		return append(log, again...), err
	case len(found.behaviour) > 0:
		*found = findings{}
	case found.failure != nil && found.dismissed:
		*found = findings{note: "all was done before every worker process had come, so one process was asked again"}
	default:
		return log, nil
	}
	again, err := observe(ctx, r.command(dir, "tlc2.TLC", r.arguments(dir)), found, r.report)
	return append(log, again...), err
}

// freePort returns a port of the loopback address that was free just now.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
