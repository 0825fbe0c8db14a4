// Package status holds how it went: the outcome of every object, and the report that the command line, the health
// checks and the service manager show. Objects that are as they must be are counted; those that are not are
// listed with the reason. Start at Report.
package status

import (
	"time"

	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// Verdict is the report in one word.
type Verdict string

// Verdicts, worst last.
const (
	OK       Verdict = "ok"       // everything wanted is there
	Starting Verdict = "starting" // no full round yet
	Degraded Verdict = "degraded" // something fails, is held, or waits
	Stopped  Verdict = "stopped"  // a source is not in sync: nothing is decided anew, nothing is withdrawn
)

// Report is the state of an agent at one moment. Times are UTC; slices are sorted.
type Report struct {
	Version string    `json:"version,omitempty"`
	Time    time.Time `json:"time"`
	Verdict Verdict   `json:"verdict"`
	Text    string    `json:"text"` // the verdict in a sentence
	// Synced is set once a round has been made with the source in sync: what could be done has been done.
	Synced bool `json:"synced"`
	// Ready is set from then on, while the source is in sync and every subsystem can be read.
	Ready bool `json:"ready"`

	Source Source `json:"source"`
	// Speaker says who speaks BGP, and why it is that one.
	Speaker string `json:"speaker,omitempty"`
	// Peers are the speaker's neighbours, sorted by name.
	Peers []model.Session `json:"peers,omitempty"`
	// Learned is what the neighbours tell of the way out of this node; nil where nobody was asked.
	Learned    *Learned    `json:"learned,omitempty"`
	Subsystems []Subsystem `json:"subsystems,omitempty"`

	Wanted    int      `json:"wanted"`    // announcements that must be
	Announced []string `json:"announced"` // keys the world is told now
	Withheld  []string `json:"withheld,omitempty"`
	Held      *Held    `json:"held,omitempty"`

	Decisions []ReasonCount `json:"decisions,omitempty"`
	Counts    []Count       `json:"counts,omitempty"`
	// Remarks are about rows and settings that are not as they should be and concern no single address.
	Remarks []Remark `json:"remarks,omitempty"`
	// MoreRemarks counts those that Remarks leaves out.
	MoreRemarks int `json:"moreRemarks,omitempty"`
	// DrainedSince is set while the node is drained.
	DrainedSince time.Time `json:"drainedSince,omitzero"`
	// Refused is set while the configuration that was read last is not in force.
	Refused  *Refused `json:"refused,omitempty"`
	Troubles []Object `json:"troubles,omitempty"`
	// MoreTroubles counts those that Troubles leaves out.
	MoreTroubles int `json:"moreTroubles,omitempty"`

	LastGood time.Time `json:"lastGood,omitzero"` // end of the last round that left nothing to do
	Rounds   []Round   `json:"rounds,omitempty"`  // newest first
}

// Source says whether what the agent reads can be trusted now.
type Source struct {
	InSync bool      `json:"inSync"`
	Since  time.Time `json:"since,omitzero"`
	Err    string    `json:"err,omitempty"`
	// Name is what the database read is called, by its schema: "OVN_Northbound".
	Name string `json:"name,omitempty"`
	// Database is the identity of the database read, Known that of the one this node has accepted.
	Database string `json:"database,omitempty"`
	Known    string `json:"known,omitempty"`
}

// Role is what a subsystem does for an announcement.
type Role string

// Roles.
const (
	Carrier   Role = "carrier"
	Announcer Role = "announcer"
)

// Subsystem is one applier.
type Subsystem struct {
	Name   string `json:"name"`
	Role   Role   `json:"role"`
	Read   bool   `json:"read"` // its actual state was read in the last round
	Err    string `json:"err,omitempty"`
	Writes uint64 `json:"writes"` // since the agent's start
}

// State is an object's outcome, where it is not "there".
type State string

// States of troubled objects.
const (
	Failing  State = "failing"  // a step on it failed
	Unread   State = "unread"   // it could not be read
	Mending  State = "mending"  // an announced key whose carrier is gone, within carrier_grace or at a closed gate
	Withheld State = "withheld" // a key that is not announced because a carrier fails
	Waiting  State = "waiting"  // a delete that waits for a withdrawal
	// Fought is a step that another hand undoes again and again; it is repeated less and less often.
	Fought State = "fought-over"
)

// States lists all of them.
func States() []State { return []State{Failing, Unread, Mending, Withheld, Waiting, Fought} }

// Object is an object that is not as it must be.
type Object struct {
	Subsystem string    `json:"subsystem"`
	Object    string    `json:"object"`
	State     State     `json:"state"`
	Verb      plan.Verb `json:"verb,omitempty"`
	Why       string    `json:"why,omitempty"` // why the object is wanted, or wanted no more
	Err       string    `json:"err,omitempty"`
	Since     time.Time `json:"since"`
	Tries     int       `json:"tries"` // rounds in which it was so
}

// Count counts objects of one kind ("route", "flow") in one subsystem.
type Count struct {
	Subsystem string `json:"subsystem"`
	Kind      string `json:"kind"`
	Wanted    int    `json:"wanted"`
	Troubled  int    `json:"troubled,omitempty"`
}

// ReasonCount counts decisions of one reason.
type ReasonCount struct {
	Verdict model.Verdict `json:"verdict"`
	Reason  string        `json:"reason"`
	Count   int           `json:"count"`
}

// Remark is a decision about a row or a setting, and about no address: a value that cannot be understood, a bridge that
// is mapped twice.
type Remark struct {
	Reason string `json:"reason"`
	Row    string `json:"row"`
	Text   string `json:"text"`
	Fix    string `json:"fix,omitempty"`
}

// Refused is a changed configuration that was not accepted: the one before it stays in force.
type Refused struct {
	Since time.Time `json:"since"` // since when the agent runs on the old one
	// Problems name file, line, option, value and what is allowed, one each.
	Problems []string `json:"problems"`
}

// Round is one run of the loop.
type Round struct {
	At       time.Time `json:"at"`
	Triggers []string  `json:"triggers"`
	Seconds  float64   `json:"seconds"`
	// SinceEvent is how many seconds after the first poke of the source the round ended; 0 where the source did not poke.
	SinceEvent float64           `json:"sinceEvent,omitempty"`
	Steps      map[plan.Verb]int `json:"steps,omitempty"` // that worked
	Failed     int               `json:"failed,omitempty"`
	Result     string            `json:"result"` // "ok", "incomplete", "error", "gate-closed", "interrupted"
}

// HeldClass says for want of what a withdrawal is held.
type HeldClass string

// Classes of held withdrawals.
const (
	HeldDoubtful    HeldClass = "doubtful"         // a row says so, but would if the Southbound database were lost
	HeldUnexplained HeldClass = "unexplained"      // no row has it, and too many go at once
	HeldDatabase    HeldClass = "another-database" // no row has it in a database that is not the one known
	HeldUnread      HeldClass = "evidence-unread"  // the database could not be asked
)

// Held is the set of withdrawals that the guard holds back.
type Held struct {
	// Hash names exactly this set, and the database where it is another one than known.
	Hash  string    `json:"hash"`
	Since time.Time `json:"since"` // since when it is this set
	// Release is when the set goes without an operator; zero when it does not.
	Release time.Time `json:"release,omitzero"`
	Keys    []HeldKey `json:"keys"`
	// Database is set when the database read is not the one known; it is then held, too.
	Database string `json:"database,omitempty"`
	Accept   string `json:"accept"` // what an operator types to let it go
}

// HeldKey is one held withdrawal.
type HeldKey struct {
	Key   string    `json:"key"`
	Class HeldClass `json:"class"`
	Text  string    `json:"text,omitempty"`
}
