package store

import "fmt"

// Absent is the Replaces of a Change that wants no row to be there.
const Absent int64 = 0

// Change is one row's part of a [Store.Write].
type Change struct {
	Key      Key
	Row      Row   // the whole new row; nil deletes
	Replaces int64 // the Rev of the row that is there, or Absent
}

// Put writes row in place of one with the Rev replaces, and gives it its new
// Rev and its Writer.
func Put(row Row, replaces int64, writer string) Change {
	*row.head() = Head{Rev: replaces + 1, Writer: writer}
	return Change{Key: row.Key(), Row: row, Replaces: replaces}
}

// Delete removes a row that still has the Rev replaces. A row that is gone
// already counts as deleted.
func Delete(key Key, replaces int64) Change { return Change{Key: key, Replaces: replaces} }

// Keys returns the keys of changes.
func Keys(changes []Change) []Key {
	keys := make([]Key, len(changes))
	for i, c := range changes {
		keys[i] = c.Key
	}
	return keys
}

// Conflict is the error of a refused Write.
type Conflict struct {
	// Rows are those that are there, of the changes that were refused. A
	// refused change whose row is missing has none there.
	Rows Rows
}

func (*Conflict) Error() string        { return ErrConflict.Error() }
func (*Conflict) Is(target error) bool { return target == ErrConflict }

// Judge decides a Write for an implementation that can look at the rows while
// nobody else writes. It returns whether the changes are to be applied; where
// not, err says why, and is nil for a write that has happened already.
func Judge(changes []Change, there Rows) (apply bool, err error) {
	if err := Validate(changes...); err != nil {
		return false, err
	}
	for _, c := range changes {
		if !c.allowed(there[c.Key]) {
			return false, Refused(changes, there)
		}
	}
	return true, nil
}

// Refused gives the outcome of a Write whose condition failed: nil where one
// of the rows that are there was written by it, which means that it has
// happened already, else a [*Conflict].
func Refused(changes []Change, there Rows) error {
	conflict := &Conflict{Rows: Rows{}}
	for _, c := range changes {
		row := there[c.Key]
		if row == nil || c.allowed(row) {
			continue
		}
		if c.Row != nil && c.Row.head().wrote(row) {
			return nil
		}
		conflict.Rows[c.Key] = row
	}
	return conflict
}

func (c Change) allowed(there Row) bool {
	if there == nil {
		return c.Replaces == Absent || c.Row == nil
	}
	return there.head().Rev == c.Replaces
}

// wrote reports whether the write of h left the row that is there. A nameless
// write recognises nothing.
func (h *Head) wrote(there Row) bool { return h.Writer != "" && *there.head() == *h }

// Validate refuses, with [ErrFormat], changes that no store can apply: a row
// whose own fields make no key (a malformed connection id), that stands under
// another key, or whose Rev [Put] did not set; and two changes of one row.
func Validate(changes ...Change) error {
	for i, c := range changes {
		if emptyRow(c.Key.PK, c.Key.SK) == nil {
			return fmt.Errorf("%w: a change of a row that has no key", ErrFormat)
		}
		if c.Row != nil && (c.Row.Key() != c.Key || c.Row.head().Rev != c.Replaces+1) {
			return fmt.Errorf("%w: a change of a %T that Put did not make", ErrFormat, c.Row)
		}
		for _, earlier := range changes[:i] {
			if earlier.Key == c.Key {
				return fmt.Errorf("%w: two changes of one %T", ErrFormat, emptyRow(c.Key.PK, c.Key.SK))
			}
		}
	}
	return nil
}

// WrittenBy reports whether the row's last write was that of the writer.
func WrittenBy(row Row, writer string) bool { return writer != "" && row.head().Writer == writer }

// RevOf returns what a write of the row's key must replace: the row's Rev, or [Absent]
// if row is nil.
func RevOf(row Row) int64 {
	if row == nil {
		return Absent
	}
	return row.head().Rev
}
