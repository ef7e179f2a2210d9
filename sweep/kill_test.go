package sweep

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"lockstep/cpu"
)

// TestMain lets a test run a sweep in a process of its own, to kill it.
func TestMain(m *testing.M) {
	if dir := os.Getenv("LOCKSTEP_SWEEP_IN"); dir != "" {
		process(dir)
	}
	os.Exit(m.Run())
}

// endless is a card of cells that take a while, on the laws alone, too.
const endless = `
name = "endless"
seeds = [1, 2]
steps = "$steps"
batch = 9
data = {name = "digits"}
model = {layers = [{type = "linear", out = "$width"}, {type = "relu"}, {type = "linear", out = 10}]}
rule = {type = "adam", lr = 0.01}
map = {type = "ternary", d = "$d"}
axes = {width = [5, 6, 7], steps = [6000, 9000], d = [3, 20]}
`

// process runs the sweep as a user's process would. With LOCKSTEP_HOLD=N it stands still in the transaction of its N-th result.
func process(dir string) {
	hold, _ := strconv.Atoi(os.Getenv("LOCKSTEP_HOLD"))
	beforeCommit = func(string) {
		if hold--; hold == 0 {
			fmt.Println("HELD")
			time.Sleep(time.Hour)
		}
	}
	err := func() error {
		card, err := ParseCard("endless.toml", []byte(endless))
		if err != nil {
			return err
		}
		if cpu.Variants()[0] == cpu.Law {
			if err := card.Set("axes.steps=[60, 90]"); err != nil {
				return err
			}
		}
		cells, err := card.Cells()
		if err != nil {
			return err
		}
		engine, err := cpu.New(cpu.Options{})
		if err != nil {
			return err
		}
		_, err = StatusOf(dir)
		told := &watcher{restored: func(steps int) { fmt.Println("RESTORED", steps) }}
		return RunTo(context.Background(), dir, card, cells, err == nil, Options{Engine: engine, PackCells: 6, Checkpoint: 5 * time.Millisecond, Progress: told})
	}()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

func processIn(dir string, hold int) *exec.Cmd {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "LOCKSTEP_SWEEP_IN="+dir, fmt.Sprintf("LOCKSTEP_HOLD=%d", hold))
	return c
}

const kills = 20

// A sweep that is killed twenty times, by SIGKILL and at random moments, twice between BEGIN and COMMIT, ends with the digest
// of an undisturbed one. LOCKSTEP_SEED replays the moments.
func TestKilledRunGoesOn(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: it takes seconds (-short)")
	}
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("LOCKSTEP_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("LOCKSTEP_SEED=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))

	calm := filepath.Join(t.TempDir(), "calm")
	start := time.Now()
	if out, err := processIn(calm, 0).CombinedOutput(); err != nil {
		t.Fatalf("undisturbed: %v: %s", err, out)
	}
	undisturbed := time.Since(start)
	dir, folders := filepath.Join(t.TempDir(), "killed"), 1
	finish := func() {
		t.Helper()
		if out, err := processIn(dir, 0).CombinedOutput(); err != nil {
			t.Fatalf("the last run: %v: %s", err, out)
		}
		if a, b := digestOf(t, calm), digestOf(t, dir); a != b {
			t.Errorf("digest %s after kills; want %s (LOCKSTEP_SEED=%d)", b, a, seed)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 2 { // the ledger and the lock
			t.Errorf("left behind: %v", left)
		}
	}
	killed, held, checkpoints, most, restored := 0, 0, 0, 0, 0
	for try := 0; killed < kills; try++ {
		dead := false
		if killed == 7 && held == 0 || killed == 14 && held == 1 {
			dead = killInTransaction(t, dir, 1+rng.IntN(3))
			if dead {
				held++
			}
		} else {
			c := processIn(dir, 0)
			var out bytes.Buffer
			c.Stdout = &out
			must(t, c.Start())
			time.Sleep(time.Duration(rng.Int64N(int64(undisturbed) / 6)))
			must(t, c.Process.Kill())
			dead = c.Wait() != nil
			restored += strings.Count(out.String(), "RESTORED")
		}
		if !dead { // it had ended: the rest of the kills is for another sweep
			finish()
			dir = filepath.Join(t.TempDir(), "killed")
			folders++
			continue
		}
		killed++
		s, err := StatusOf(dir)
		if err != nil {
			t.Logf("kill %d: %v", killed, err) // before the first transaction
			continue
		}
		most, checkpoints = max(most, s.Done), checkpoints+len(s.Checkpoints)
		t.Logf("kill %d: %d of %d cells have ended, %d checkpoints", killed, s.Done, s.Cells, len(s.Checkpoints))
	}
	finish()
	t.Logf("%d kills, %d of them in a transaction, in %d sweeps; %d cells were taken up from a checkpoint", killed, held, folders, restored)
	if held != 2 || checkpoints == 0 || most == 0 || restored == 0 {
		t.Errorf("%d kills in a transaction, %d checkpoints seen, %d cells taken up from one, at most %d had ended: the kills hit nothing", held, checkpoints, restored, most)
	}
}

// killInTransaction waits until a run stands between BEGIN and COMMIT of its n-th result, and kills it there; the result
// must not be in the ledger, and the journal must be.
func killInTransaction(t *testing.T, dir string, n int) bool {
	t.Helper()
	before := ended(t, dir)
	c := processIn(dir, n)
	pipe, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	lines := bufio.NewScanner(pipe)
	for lines.Scan() && lines.Text() != "HELD" {
	}
	if lines.Text() != "HELD" {
		c.Wait()
		return false
	}
	journal := filepath.Join(dir, LedgerFile+"-journal")
	if info, err := os.Stat(journal); err != nil || info.Size() == 0 {
		t.Errorf("between BEGIN and COMMIT there is no journal: %v", err)
	} else {
		t.Logf("between BEGIN and COMMIT of result %d: the journal has %d bytes", n, info.Size())
	}
	must(t, c.Process.Kill())
	c.Wait()
	if _, err := os.Stat(journal); err != nil {
		t.Errorf("the killed run's journal is gone: %v", err)
	}
	if now := ended(t, dir); now != before+n-1 { // reading rolls the transaction back
		t.Errorf("%d cells have ended; %d had, and %d more were committed", now, before, n-1)
	}
	return true
}

func ended(t *testing.T, dir string) int {
	t.Helper()
	s, err := StatusOf(dir)
	if err != nil {
		if !strings.Contains(err.Error(), "holds no sweep") {
			t.Fatal(err)
		}
		return 0
	}
	return s.Done
}

// A full disk and a folder that cannot be written are clear errors; what has ended is kept, and the run goes on when there
// is room.
func TestFullDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: it takes seconds (-short)")
	}
	calm := filepath.Join(t.TempDir(), "calm")
	if out, err := processIn(calm, 0).CombinedOutput(); err != nil {
		t.Fatalf("undisturbed: %v: %s", err, out)
	}
	disk := t.TempDir()
	script := fmt.Sprintf("mount -t tmpfs -o size=%%dk tmpfs %[1]q && ", disk)
	mounted := func(kilobytes int, commands string) (string, error) {
		c := exec.Command("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", fmt.Sprintf(script, kilobytes)+commands)
		c.Env = append(os.Environ(), "LOCKSTEP_SWEEP_IN="+filepath.Join(disk, "out"))
		out, err := c.CombinedOutput()
		return string(out), err
	}
	if out, err := mounted(64, "true"); err != nil {
		t.Skipf("SKIPPED full disk and read-only folder: this machine lets nobody mount a small disk (unshare, tmpfs): %v: %s", err, out)
	}
	kept := t.TempDir()
	self := os.Args[0]
	out, err := mounted(96, fmt.Sprintf("! %s && cp -r %s/out %s && mount -o remount,size=9000k tmpfs %[2]s && %[1]s && cp -r %[2]s/out %[3]s/later", self, disk, kept))
	if err != nil || !strings.Contains(out, "full") && !strings.Contains(out, "no space left") || !strings.Contains(out, "are kept") {
		t.Fatalf("on a small disk: %v: %s", err, out)
	}
	t.Logf("on a small disk: %s", out)
	if n := ended(t, filepath.Join(kept, "out")); n == 0 {
		t.Error("nothing had ended when the disk was full: the test shows nothing")
	}
	if a, b := digestOf(t, calm), digestOf(t, filepath.Join(kept, "later")); a != b {
		t.Errorf("digest %s after a full disk; want %s", b, a)
	}
	for _, size := range []int{4, 60} { // no room for the folder, for the ledger's first transaction
		if out, err := mounted(size, self); err == nil || !strings.Contains(out, LedgerFile) && !strings.Contains(out, "space") {
			t.Errorf("on a disk of %d kB: %v: %s", size, err, out)
		}
	}
	out, err = mounted(9000, fmt.Sprintf("mkdir %[1]s/out && mount -o remount,ro tmpfs %[1]s && ! %[2]s", disk, self))
	if err != nil || !strings.Contains(out, "read-only file system") {
		t.Errorf("in a read-only folder: %v: %s", err, out)
	}
	out, err = mounted(9000, fmt.Sprintf("cp -r %[3]s %[1]s/out && mount -o remount,ro tmpfs %[1]s && ! %[2]s", disk, self, calm))
	if err != nil || !strings.Contains(out, "read-only file system") {
		t.Errorf("in a sweep's read-only folder: %v: %s", err, out)
	}
}
