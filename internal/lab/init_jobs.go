package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"
)

// jobGrace is how long jobs have to end by themselves once they were asked to.
const jobGrace = 2 * time.Second

// jobServer is the guest's end of the command channel: it starts jobs and passes frames to them.
type jobServer struct {
	in  io.Reader
	out *frameWriter

	mu   sync.Mutex
	jobs map[uint32]*job
	done sync.WaitGroup
}

func newJobServer(line io.ReadWriter) *jobServer {
	return &jobServer{in: line, out: newFrameWriter(line), jobs: map[uint32]*job{}}
}

// serve says that the guest is ready and runs jobs until the host asks for the end, or the line fails. Jobs that
// still run then are ended.
func (s *jobServer) serve(ctx context.Context, ready readyInfo) error {
	if err := s.out.writeJSON(kindReady, 0, ready); err != nil {
		return err
	}
	in := bufio.NewReaderSize(ackingReader{s.in, s.out.write}, 64<<10)
	for {
		f, err := readFrame(in)
		if err != nil || f.kind == kindPowerOff {
			s.endAll()
			return err
		}
		if f.kind == kindStart {
			s.start(ctx, f)
			continue
		}
		if j := s.job(f.job); j != nil { // frames may cross with a job's end
			j.handle(f)
		}
	}
}

func (s *jobServer) job(id uint32) *job {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.jobs[id]
}

// start starts the job that f describes and reports its end in the background.
func (s *jobServer) start(ctx context.Context, f frame) {
	var spec jobSpec
	err := json.Unmarshal(f.data, &spec)
	if err == nil && len(spec.Argv) == 0 {
		err = fmt.Errorf("no command was given")
	}
	var j *job
	if err == nil {
		j, err = startJob(ctx, f.job, spec, s.out.write)
	}
	if err != nil {
		s.report(f.job, exitInfo{Code: notStarted(err), Error: err.Error()})
		return
	}
	s.mu.Lock()
	s.jobs[f.job] = j
	s.mu.Unlock()
	s.done.Go(func() {
		info := j.wait()
		s.mu.Lock()
		delete(s.jobs, f.job)
		s.mu.Unlock()
		s.report(f.job, info)
	})
}

// report sends a job's last frame. When the line is gone there is nobody to tell.
func (s *jobServer) report(id uint32, info exitInfo) { _ = s.out.writeJSON(kindExit, id, info) }

// endAll ends every job and waits, so that what they wrote is in its files.
func (s *jobServer) endAll() {
	s.mu.Lock()
	for _, j := range s.jobs {
		j.hangup(syscall.SIGTERM)
	}
	s.mu.Unlock()
	ended := make(chan struct{})
	go func() { s.done.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(2 * jobGrace):
	}
}
