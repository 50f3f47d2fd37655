package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// importFile returns the path of a file that only the current user can read, because
// import prints a warning if other users can read the file.
func importFile(t *testing.T, lines ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tokens.jsonl")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

type reportLine struct {
	Line                                     int
	Status, Connection, Type, Reason, Detail string
	AttributedTo                             struct{ GID, Name string } `json:"attributed_to"`
}

func reportLines(t *testing.T, text string) map[int]reportLine {
	t.Helper()
	all := map[int]reportLine{}
	for line := range strings.Lines(text) {
		var r reportLine
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all[r.Line] = r
	}
	return all
}

func TestImport(t *testing.T) {
	t.Parallel()
	asana, data := newExternalAsana(t), t.TempDir()
	asana.SetSwitches(func(s *asanatest.Switches) { s.RotateRefreshTokens = true })
	refresh, pat, service := asana.grant(asanatest.Member), asana.PersonalAccessToken(asanatest.Bot), asana.ServiceAccountToken(asanatest.ServiceAccount)
	another := asana.grant(asanatest.Member)
	file := importFile(t,
		fmt.Sprintf(`{"owner":"acme","refresh_token":%q}`, refresh),
		fmt.Sprintf(`{"owner":"globex","token":%q,"kind":"personal_access_token"}`, pat),
		fmt.Sprintf(`{"owner":"acme","token":%q,"kind":"service_account"}`, service),
		`{"owner":"acme","token":"hunter2","kind":"service_account"}`,
		`{"owner":"asana:1","refresh_token":"hunter2"}`,
		`hunter2`,
		fmt.Sprintf(`{"owner":"acme","refresh_token":%q}`, another),
	)
	before := asana.CountRequests("refresh_token")

	// Check that a dry run does not use refresh tokens, because Asana may rotate them.
	out, errs := wantOutcome(t, 1, asana.environ, "import", "-dry-run", "-data", data, file)
	for line, want := range map[int]string{1: "would-import", 2: "would-import", 3: "would-import", 4: "rejected", 5: "rejected", 6: "rejected", 7: "would-import"} {
		if got := reportLines(t, out)[line]; got.Status != want || got.Connection != "" {
			t.Errorf("dry run, line %d: got %+v, want %s", line, got, want)
		}
	}
	if !strings.Contains(errs, "asanaauth import: 3 lines would not be imported: ") {
		t.Errorf("dry run: unexpected stderr: %s", errs)
	}
	listed, _ := wantOutcome(t, 0, asana.environ, "connections", "list", "-data", data)
	if n := asana.CountRequests("refresh_token") - before; n != 0 || listed != "" {
		t.Errorf("after a dry run: %d refreshes, connections %q; want none", n, listed)
	}

	out, more := wantOutcome(t, 1, asana.environ, "import", file, "-data", data)
	want := map[int]reportLine{
		1: {Status: "imported"}, 2: {Status: "imported"}, 3: {Status: "imported"},
		4: {Status: "rejected", Type: "token-rejected", Reason: "inactive", Detail: "Asana reports that this token is not active. Import another one."},
		5: {Status: "rejected", Type: "invalid-request", Reason: "owner must not begin with \"asana:\", which is reserved for sign-in."},
		6: {Status: "rejected", Type: "invalid-request", Reason: "The line must be a JSON object."},
		7: {Status: "rejected", Type: "already-connected", Reason: `The owner already has an active connection of this Asana user. To replace it, add "replace":true.`},
	}
	report := reportLines(t, out)
	for line, w := range want {
		got := report[line]
		if got.Status != w.Status || got.Type != w.Type || got.Reason != w.Reason || got.Detail != w.Detail || (got.Connection != "") != (w.Status == "imported") {
			t.Errorf("line %d: got %+v, want %+v", line, got, w)
		}
	}
	if len(report) != 7 || report[2].AttributedTo.GID != asanatest.Bot || report[2].AttributedTo.Name != "Build Bot" || report[1].AttributedTo.GID != asanatest.Member {
		t.Errorf("unexpected report: %s", out)
	}
	if !strings.Contains(more, `"msg":"import ended","lines":7,"imported":3,"rejected":4}`) || !strings.Contains(more, "asanaauth import: 4 lines were not imported: see \"type\" and \"reason\" in the report\n") {
		t.Errorf("unexpected stderr: %s", more)
	}

	// Check that the second run recognizes the imported credentials without a refresh.
	// Only line 7, which was rejected, may cause a refresh.
	before = asana.CountRequests("refresh_token")
	again, _ := wantOutcome(t, 1, asana.environ, "import", file, "-data", data)
	for line := range 3 {
		if got := reportLines(t, again)[line+1]; got.Status != "already" || got.Connection != report[line+1].Connection {
			t.Errorf("second run, line %d: got %+v, want already and the same connection", line+1, got)
		}
	}
	if n := asana.CountRequests("refresh_token") - before; n > 1 {
		t.Errorf("second run: %d refreshes, want at most 1", n)
	}
	rows, err := os.ReadFile(filepath.Join(data, "rows.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{refresh, pat, service, another, "hunter2", "@acme.example"} {
		if strings.Contains(out+errs+more+again+string(rows), secret) {
			t.Errorf("%.4s… was printed or stored", secret)
		}
	}
}

func TestImportOfStandardInput(t *testing.T) {
	t.Parallel()
	asana, data := newExternalAsana(t), t.TempDir()
	cmd := command(t, asana.environ, "import", "-", "-data", data)
	cmd.Stdin = strings.NewReader(fmt.Sprintf(`{"owner":"o","token":%q,"kind":"personal_access_token"}`, asana.PersonalAccessToken(asanatest.Bot)))
	out, err := cmd.Output()
	if got := reportLines(t, string(out))[1]; err != nil || got.Status != "imported" {
		t.Errorf("got %v, report %s; want the line imported", err, out)
	}
}

func TestImportOfAFileThatOthersMayRead(t *testing.T) {
	t.Parallel()
	asana := newExternalAsana(t)
	file := importFile(t)
	for mode, warned := range map[os.FileMode]bool{0o600: false, 0o640: true, 0o604: true} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		_, errs := wantOutcome(t, 0, asana.environ, "import", file, "-data", t.TempDir())
		if strings.Contains(errs, `"level":"WARN","msg":"other users of this machine can access the file and its tokens: run chmod 600 on it","file":"\"`+file) != warned {
			t.Errorf("mode %o: got stderr %q, want a warning: %t", mode, errs, warned)
		}
	}
}

// TestInterruptedImport checks that an interrupted import finishes and reports the lines
// in progress, and that the next run imports the other lines.
func TestInterruptedImport(t *testing.T) {
	t.Parallel()
	asana, data := newExternalAsana(t), t.TempDir()
	asana.SetSwitches(func(s *asanatest.Switches) { s.RotateRefreshTokens = true })
	var lines []string
	for i := range 6 {
		lines = append(lines, fmt.Sprintf(`{"owner":"owner %d","refresh_token":%q}`, i, asana.grant(asanatest.Member)))
	}
	file := importFile(t, lines...)
	before := asana.CountRequests("refresh_token")
	asana.SetSwitches(func(s *asanatest.Switches) { s.DelayMS = 1000 })
	cmd := command(t, asana.environ, "import", file, "-data", data, "-parallel", "2")
	var out, errs lockedBuffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "a refresh is in progress", func() bool { return asana.CountRequests("refresh_token") > before })
	cmd.Process.Signal(syscall.SIGINT)
	cmd.Wait()
	first := reportLines(t, out.String())
	if cmd.ProcessState.ExitCode() != 1 || len(first) == 0 || len(first) == 6 || !strings.Contains(errs.String(), "run the command again") {
		t.Fatalf("exit %d, %s; %s", cmd.ProcessState.ExitCode(), out.String(), errs.String())
	}
	asana.SetSwitches(func(s *asanatest.Switches) { s.DelayMS = 0 })
	rest, _ := wantOutcome(t, 0, asana.environ, "import", file, "-data", data)
	for line, got := range reportLines(t, rest) {
		want := "imported"
		if first[line].Status != "" {
			want = "already"
		}
		if got.Status != want {
			t.Errorf("line %d: first run %+v, second run %+v, want %s", line, first[line], got, want)
		}
	}
}

// TestImportWithClosedStdout checks that the import stops with an error if the process
// that reads the report exits, as in "import FILE | head".
func TestImportWithClosedStdout(t *testing.T) {
	t.Parallel()
	asana, data := newExternalAsana(t), t.TempDir()
	var lines []string
	for i := range 20 {
		lines = append(lines, fmt.Sprintf(`{"owner":"owner %d","token":%q,"kind":"personal_access_token"}`, i, asana.PersonalAccessToken(asanatest.Bot)))
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	reader.Close()
	cmd := command(t, asana.environ, "import", importFile(t, lines...), "-data", data, "-parallel", "1")
	var errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = writer, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(errs.String(), "writing the report") {
		t.Errorf("exit %d, stderr %s; want 1 and an error about the report", code, errs.String())
	}
}

// TestImportNamesTheFile checks that errors contain the file's name.
func TestImportNamesTheFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	missing := filepath.Join(folder, "tokens.jsonl")
	for name, want := range map[string]string{
		missing: `asanaauth import: opening "` + missing + `": no such file or directory: check its path and permissions`,
		folder:  `asanaauth import: "` + folder + `" is a directory or cannot be read: name a file`,
	} {
		if _, errs := wantOutcome(t, 1, nil, "import", name); !strings.Contains(errs, want) {
			t.Errorf("got stderr %s, want %s", errs, want)
		}
	}
}

// TestImportOfAFileWithAByteOrderMark checks a file as some editors save it.
func TestImportOfAFileWithAByteOrderMark(t *testing.T) {
	t.Parallel()
	asana := newExternalAsana(t)
	line := fmt.Sprintf(`{"owner":"o","token":%q,"kind":"personal_access_token"}`, asana.PersonalAccessToken(asanatest.Bot))
	out, errs := wantOutcome(t, 0, asana.environ, "import", importFile(t, "\ufeff"+line), "-data", t.TempDir())
	if got := reportLines(t, out)[1]; got.Status != "imported" {
		t.Errorf("got report %s, want the line imported", out)
	}
	for text := range strings.Lines(errs) {
		if !json.Valid([]byte(text)) {
			t.Errorf("log line is not JSON: %s", text)
		}
	}
	out, _ = wantOutcome(t, 1, asana.environ, "import", importFile(t, "", "\ufeff"+line), "-data", t.TempDir())
	if got := reportLines(t, out)[2]; got.Status != "rejected" {
		t.Errorf("got report %s, want a byte order mark accepted only at the beginning of the file", out)
	}
}

// TestImportOnATerminal checks that progress appears on a terminal. TestImport checks that
// it does not appear elsewhere.
func TestImportOnATerminal(t *testing.T) {
	t.Parallel()
	script, err := exec.LookPath("script")
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("needs the program script of Linux, which runs a command on a terminal")
	}
	asana := newExternalAsana(t)
	file := importFile(t, fmt.Sprintf(`{"owner":"o","token":%q,"kind":"personal_access_token"}`, asana.PersonalAccessToken(asanatest.Bot)))
	run := command(t, asana.environ, "import", file, "-data", t.TempDir())
	report := filepath.Join(t.TempDir(), "report")
	cmd := exec.CommandContext(t.Context(), script, "-qec", strings.Join(run.Args, " ")+" > "+report, "/dev/null")
	cmd.Env = append(run.Env, "PATH="+os.Getenv("PATH"))
	terminal, err := cmd.Output()
	if err != nil || !strings.Contains(string(terminal), "\x1b[Klines: 1, imported: 1; ") || strings.Contains(string(terminal), "import ended") {
		t.Errorf("got error %v, terminal %q; want the progress", err, terminal)
	}
}

// TestImportRepeatsNoToken checks that errors do not repeat an argument that may be a
// token, which a user typed by mistake.
func TestImportRepeatsNoToken(t *testing.T) {
	t.Parallel()
	const token = "1/1200:hunter2"
	const long = "2/1200/hunter2-0123456789abcdef0123456789abcdef"
	for _, args := range [][]string{{"import", token}, {"import", long}, {"import", "a", token}, {"import", "-", "-data", t.TempDir(), token}} {
		_, out, errs := runCommand(t, nil, args...)
		if strings.Contains(out+errs, "hunter2") || errs == "" {
			t.Errorf("stderr %q, want an error without the argument", errs)
		}
	}
}
