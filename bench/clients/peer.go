// The peer: go-dqlite's driver under database/sql, for each workload of the
// bench. Arguments and output as in measure.h.
package main

import (
	"bufio"
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/canonical/go-dqlite/client"
	"github.com/canonical/go-dqlite/driver"
)

const (
	points      = 10000 // rows of the table `point`
	connections = 8
	workers     = 64
	batch       = 16

	pointSQL  = "SELECT id, name, score FROM point WHERE id = ?"
	insertSQL = "INSERT INTO sink (n, m) VALUES (?, ?)"
	wideSQL   = "SELECT id, name, score, size, data, note FROM wide LIMIT ?"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// ---- measuring ----

func processor() time.Duration {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func peakMemory() string {
	file, err := os.Open("/proc/self/status")
	check(err)
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "VmHWM:") {
			return strings.Fields(lines.Text())[1]
		}
	}
	return "0"
}

type task struct {
	workload string
	duration time.Duration
	count    int
	timed    bool
}

func printResult(operations int, wall, cpu time.Duration, samples []time.Duration) {
	fmt.Printf("%d %.9f %.6f %s", operations, wall.Seconds(), cpu.Seconds(), peakMemory())
	if len(samples) > 0 {
		sort.Slice(samples, func(i, j int) bool { return samples[i] < samples[j] })
		for _, part := range []float64{0.50, 0.99} {
			sample := samples[int(float64(len(samples)-1)*part)]
			fmt.Printf(" %.3f", float64(sample.Nanoseconds())/1e3)
		}
	}
	fmt.Println()
}

func (t *task) timeEach(fn func(int), first int) []time.Duration {
	var samples []time.Duration
	begin := time.Now()
	for deadline := begin.Add(t.duration); begin.Before(deadline); first++ {
		fn(first)
		end := time.Now()
		samples = append(samples, end.Sub(begin))
		begin = end
	}
	return samples
}

// Answers how many calls there were.
func callFor(duration time.Duration, fn func(int), first int) int {
	calls := 0
	for deadline := time.Now().Add(duration); time.Now().Before(deadline); {
		for i := 0; i < batch; i++ {
			fn(first + calls)
			calls++
		}
	}
	return calls
}

func (t *task) measure(fn func(int)) {
	before := callFor(t.duration/5, fn, 0) // to warm up
	begin, cpu := time.Now(), processor()
	calls := callFor(t.duration, fn, before)
	wall, used := time.Since(begin), processor()-cpu
	var samples []time.Duration
	if t.timed {
		samples = t.timeEach(fn, before+calls)
	}
	printResult(calls, wall, used, samples)
}

func (t *task) measureOnce(fn func()) {
	begin, cpu := time.Now(), processor()
	fn()
	printResult(t.count, time.Since(begin), processor()-cpu, nil)
}

// ---- workloads ----

func key(i int) int {
	return i%points + 1
}

func connectAndClose(d *driver.Driver) func(int) {
	return func(int) {
		conn, err := d.Open("bench")
		check(err)
		check(conn.(sqldriver.Conn).Close())
	}
}

func selectOne(db *sql.DB) func(int) {
	return func(int) {
		var one int64
		check(db.QueryRow("SELECT 1").Scan(&one))
	}
}

func scanPoint(row *sql.Row) {
	var id int64
	var name string
	var score float64
	check(row.Scan(&id, &name, &score))
}

func insertAll(db *sql.DB, count int) {
	tx, err := db.Begin()
	check(err)
	statement, err := tx.Prepare(insertSQL)
	check(err)
	for i := 0; i < count; i++ {
		_, err := statement.Exec(i, i*3)
		check(err)
	}
	check(tx.Commit())
}

func readRows(db *sql.DB, limit int) {
	var id, size int64
	var name string
	var score float64
	var data []byte
	var note sql.NullString
	rows, err := db.Query(wideSQL, limit)
	check(err)
	defer rows.Close()
	n := 0
	for rows.Next() {
		check(rows.Scan(&id, &name, &score, &size, &data, &note))
		n++
	}
	check(rows.Err())
	if n != limit {
		check(fmt.Errorf("%d rows in place of %d", n, limit))
	}
}

// The latency of each includes its wait for a connection, as it would have to
// in a program.
func (t *task) measureCrowd(db *sql.DB) {
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	statement, err := db.Prepare(pointSQL)
	check(err)
	t.crowd(statement, time.Now().Add(t.duration*2/5)) // prepares it everywhere
	begin, cpu := time.Now(), processor()
	samples := t.crowd(statement, begin.Add(t.duration))
	printResult(len(samples), time.Since(begin), processor()-cpu, samples)
}

func (t *task) crowd(statement *sql.Stmt, deadline time.Time) []time.Duration {
	var wait sync.WaitGroup
	var mutex sync.Mutex
	var all []time.Duration
	var i int64
	for w := 0; w < workers; w++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			var samples []time.Duration
			begin := time.Now()
			for begin.Before(deadline) {
				scanPoint(statement.QueryRow(key(int(atomic.AddInt64(&i, 1)))))
				end := time.Now()
				samples = append(samples, end.Sub(begin))
				begin = end
			}
			mutex.Lock()
			all = append(all, samples...)
			mutex.Unlock()
		}()
	}
	wait.Wait()
	return all
}

// ---- what happens to the leader meanwhile ----

// Of the clock that all processes share.
func monotonic() float64 {
	const clockMonotonic = 1
	var ts syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&ts)), 0)
	return float64(ts.Nano()) / 1e9
}

// As in failover.lua.
func writeForEver(db *sql.DB) {
	const pace, patience, pause = 5 * time.Millisecond, time.Millisecond, 0.1
	last := 0.0
	for {
		if _, err := db.Exec(insertSQL, 1, 1); err != nil {
			time.Sleep(patience)
			continue
		}
		done := monotonic()
		if done-last > pause {
			fmt.Printf("wrote %.6f %.6f\n", last, done)
		}
		last = done
		time.Sleep(pace)
	}
}

func (t *task) run(d *driver.Driver, db *sql.DB) {
	switch t.workload {
	case "a":
		t.measure(connectAndClose(d))
	case "b":
		t.measure(selectOne(db))
	case "c":
		t.measure(func(i int) { scanPoint(db.QueryRow(pointSQL, key(i))) })
	case "c_prep":
		statement, err := db.Prepare(pointSQL)
		check(err)
		t.measure(func(i int) { scanPoint(statement.QueryRow(key(i))) })
	case "d":
		t.measure(func(i int) {
			_, err := db.Exec(insertSQL, i, i*3)
			check(err)
		})
	case "e":
		t.measureOnce(func() { insertAll(db, t.count) })
	case "f_rows":
		readRows(db, t.count) // to warm up
		t.measureOnce(func() { readRows(db, t.count) })
	case "m":
		t.measure(func(int) { readRows(db, 100) })
	case "g", "g_pool", "g_multiplex": // its pool is all that there is
		t.measureCrowd(db)
	case "failover":
		writeForEver(db)
	default:
		check(fmt.Errorf("no workload %s", t.workload))
	}
}

func main() {
	if len(os.Args) < 5 {
		check(fmt.Errorf("WORKLOAD ADDRESS SECONDS COUNT [timed]"))
	}
	seconds, err := strconv.ParseFloat(os.Args[3], 64)
	check(err)
	count, err := strconv.Atoi(os.Args[4])
	check(err)
	t := task{os.Args[1], time.Duration(seconds * 1e9), count, len(os.Args) > 5}
	store := client.NewInmemNodeStore()
	var nodes []client.NodeInfo
	for _, address := range strings.Split(os.Args[2], ",") {
		nodes = append(nodes, client.NodeInfo{Address: address})
	}
	check(store.Set(context.Background(), nodes))
	d, err := driver.New(store, driver.WithLogFunc(func(client.LogLevel, string, ...interface{}) {}))
	check(err)
	sql.Register("bench", d)
	db, err := sql.Open("bench", "bench")
	check(err)
	db.SetMaxOpenConns(1)
	t.run(d, db)
}
