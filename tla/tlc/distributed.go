package tlc

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"sync"
)

// distribute answers with TLC's own server and its worker processes on this
// machine. TLC's server knows no liveness, so neither does this.
//
// They tell each other the loopback address, but listen on all: RMI has no option
// for that. So whoever can reach the machine's ports can reach them, meanwhile.
//
// The answer is that of a single process, asked once more, where the server has
// none to give. It does not say which invariant is violated, nor tell more than
// the end of the counterexample. And if a worker comes when the others have done
// all there was to do, as it may where that is little, the server trips over it
// and loses the count (TLCServer.getNewStates meets the late one without states).
func (r Run) distribute(ctx context.Context, dir string, found *findings) ([]byte, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	address := []string{
		"-Djava.rmi.server.hostname=127.0.0.1",
		"-Dtlc2.tool.distributed.TLCServer.port=" + strconv.Itoa(port),
	}
	server := r.command(ctx, dir, "tlc2.tool.distributed.TLCServer",
		[]string{"-tool", "-metadir", filepath.Join(dir, "tmp"), r.module()}, address...)

	workers, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	for range r.Distributed {
		worker := r.command(workers, dir, "tlc2.tool.distributed.TLCWorker", []string{"127.0.0.1"},
			append(address, "-Dtlc2.tool.distributed.TLCWorker.threadCount=1")...)
		if err := worker.Start(); err != nil {
			stop()
			running.Wait()
			return nil, fmt.Errorf("%w: starting a worker: %w", ErrTLC, err)
		}
		running.Go(func() { worker.Wait() }) // ends with the server, or is stopped below
	}
	log, err := server.observe(found, r.report)
	stop()
	running.Wait()
	if err != nil || ctx.Err() != nil || found.success {
		return log, err
	}
	switch {
	case len(found.behaviour) > 0:
		*found = findings{}
	case found.failure != nil && found.dismissed:
		*found = findings{note: "all was done before every worker process had come, so one process was asked again"}
	default:
		return log, nil
	}
	again, err := r.command(ctx, dir, "tlc2.TLC", r.arguments(dir)).observe(found, r.report)
	return append(log, again...), err
}

// freePort returns a port that was free just now, on all addresses as RMI wants it.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
