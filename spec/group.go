package spec

// A GroupField is one field of the segment of a group (GROUP.md).
type GroupField struct {
	Name   string
	Offset int    // in bytes, from the begin of the header or of the slot
	Type   string // of Go
	Doc    string
}

// The sizes of the header and of each slot in bytes, and the layout version.
const (
	GroupVersion    = 1
	GroupHeaderSize = 512
	GroupSlotSize   = 256
)

// GroupMagic is the first field of the segment of a group: its bytes are
// "shbgroup" on a little-endian machine.
const GroupMagic uint64 = 0x70756f7267626873

// GroupSuffix is what the name of a group's segment has after that of the
// barrier.
const GroupSuffix = ".group"

// GroupHeader is the layout of the header.
var GroupHeader = []GroupField{
	{"magic", 0, "uint64", "the bytes `shbgroup`"},
	{"version", 8, "uint32", "1"},
	{"parties", 12, "uint32", "the party count n"},
	{"device", 16, "uint64", "the device of the barrier's segment"},
	{"inode", 24, "uint64", "its inode: the group is that of this barrier only"},
	{"turn", 64, "uint64", "2·r + b: the round that has not ended, and whether the group is broken"},
	{"completed", 72, "uint64", "the last round that was completed"},
	{"owed", 80, "uint32", "how many members of that round are not counted in exit yet"},
	{"phase", 128, "uint32", "the journal: 0 closed, 1 open, 2 open and the flag is down or the round committed"},
	{"taken", 132, "uint32", "the journal: how many members are taken"},
	{"round", 136, "uint64", "the journal: their round"},
	{"enter", 144, "int32", "the journal: the word before"},
	{"exit", 148, "int32", "the journal: the word before"},
	{"flag", 152, "int32", "the journal: the word before"},
	{"brokenRound", 256, "uint64", "the last round that was broken; 0: none, or what follows is being written"},
	{"brokenRank", 264, "uint32", "the rank that died in it"},
	{"brokenStep", 268, "uint32", "the step it was at"},
	{"brokenSince", 272, "int64", "when it was seen dead, in nanoseconds of Unix time"},
	{"brokenPid", 280, "int32", "its process id, in its own namespace"},
	{"brokenLabel", 288, "[64]byte", "its label"},
}

// GroupSlot is the layout of a slot.
var GroupSlot = []GroupField{
	{"next", 0, "uint64", "the link of the owner's robust list; means nothing to others"},
	{"owner", 8, "uint32", "the thread id of the owner's guardian, and the kernel's bits; 0: vacant"},
	{"asleep", 12, "uint32", "note: 1 while the owner sleeps"},
	{"arrival", 16, "uint64", "4·r + s: round, and 0 outside, 1 arrived, 2 taken"},
	{"broken", 24, "uint64", "the round that the death of the owner has broken; 0: none"},
	{"step", 32, "uint32", "note: the step that the owner takes next"},
	{"pid", 36, "int32", "note: the owner's process id, in its own namespace"},
	{"since", 40, "int64", "note: since when the owner has been in this call or outside, in nanoseconds of Unix time"},
	{"watches", 48, "uint32", "note: the rank whose owner the guardian watches"},
	{"label", 64, "[64]byte", "note: the owner's label, ended by a zero byte"},
}
