// Over an export of our log: the code by which the go command trusts its checksum database.
//
// It knows signed notes, tiles and both proofs. What it lacks is written here: the lines of a C2SP checkpoint (its
// own are named otherwise), the paths of C2SP tiles, the form of a tlog-proof, and what a witness signs (cosignature/v1).
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	height     = 8
	cosignedBy = 4
	mlDSA44    = 6
)

// story is what to look at. Witnesses is a file of verifier keys, a line each; none when it is empty.
type story struct {
	Directory string
	Entries   []int64
	Witnesses string
}

type accepted struct {
	Origin   string   `json:"origin"`
	Size     int64    `json:"size"`
	Older    int64    `json:"older"`
	Entries  int64    `json:"entries"`
	Proofs   int      `json:"proofs"`
	Cosigned []string `json:"cosigned"`
}

type head struct {
	origin   string
	tree     tlog.Tree
	cosigned []string
}

// cosigner is a witness: it signs the time at which it saw a head, with the head (C2SP tlog-cosignature).
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return c.hash }

func (c cosigner) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	said := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(signature), text)
	return ed25519.Verify(c.key, []byte(said), signature[8:])
}

func main() {
	var told story
	answer := map[string]any{}
	err := json.NewDecoder(os.Stdin).Decode(&told)
	if err == nil {
		var found accepted
		if found, err = judged(told); err == nil {
			answer["accepted"] = found
		}
	}
	if err != nil {
		answer["refused"] = err.Error()
	}
	if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
		os.Exit(2)
	}
}

func judged(told story) (accepted, error) {
	var none accepted
	files := []string{filepath.Join(told.Directory, "vkeys")}
	if told.Witnesses != "" {
		files = append(files, told.Witnesses)
	}
	keys, err := verifiers(files...)
	if err != nil {
		return none, err
	}
	now, err := signed(filepath.Join(told.Directory, "checkpoint"), keys)
	if err != nil {
		return none, err
	}
	hashes := tlog.TileHashReader(now.tree, tiles(told.Directory))
	count, err := everyEntry(told.Directory, now.tree, hashes)
	if err != nil {
		return none, err
	}
	for _, index := range told.Entries {
		if err := inclusion(told.Directory, index, keys, hashes); err != nil {
			return none, fmt.Errorf("entry %d: %w", index, err)
		}
	}
	older, err := consistency(told.Directory, keys, now, hashes)
	if err != nil {
		return none, err
	}
	return accepted{now.origin, now.tree.N, older, count, len(told.Entries), now.cosigned}, nil
}

func verifiers(paths ...string) (note.Verifiers, error) {
	var found []note.Verifier
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		for _, line := range strings.Fields(string(data)) {
			var verifier note.Verifier
			switch kind(line) {
			case mlDSA44: // not known there; a note may be signed by keys that a verifier passes over
				continue
			case cosignedBy:
				verifier, err = newCosigner(line)
			default:
				verifier, err = note.NewVerifier(line)
			}
			if err != nil {
				return nil, err
			}
			found = append(found, verifier)
		}
	}
	return note.VerifierList(found...), nil
}

func newCosigner(line string) (note.Verifier, error) {
	parts := strings.SplitN(line, "+", 3)
	data, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(data) != 1+ed25519.PublicKeySize {
		return nil, fmt.Errorf("%s has no key of a cosigner", parts[0])
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), data...))
	if fmt.Sprintf("%x", sum[:4]) != parts[1] {
		return nil, fmt.Errorf("%s has the id of another key", parts[0])
	}
	return cosigner{parts[0], binary.BigEndian.Uint32(sum[:4]), data[1:]}, nil
}

// kind is the first byte of the key of a verifier key line, 0 when it has none.
func kind(line string) byte {
	parts := strings.SplitN(line, "+", 3)
	if len(parts) < 3 {
		return 0
	}
	data, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(data) == 0 {
		return 0
	}
	return data[0]
}

func signed(path string, keys note.Verifiers) (head, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return head{}, err
	}
	return opened(data, keys)
}

// opened verifies the signature of a checkpoint, then reads its lines: origin, size, root.
func opened(data []byte, keys note.Verifiers) (head, error) {
	verified, err := note.Open(data, keys)
	if err != nil {
		return head{}, err
	}
	lines := strings.Split(strings.TrimSuffix(verified.Text, "\n"), "\n")
	if len(lines) != 3 {
		return head{}, fmt.Errorf("a checkpoint has three lines, this one %d", len(lines))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return head{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return head{}, err
	}
	if verified.Sigs[0].Name != lines[0] {
		return head{}, fmt.Errorf("signed by %s, of log %s", verified.Sigs[0].Name, lines[0])
	}
	cosigned := []string{}
	for _, each := range verified.Sigs {
		if each.Name != lines[0] {
			cosigned = append(cosigned, each.Name)
		}
	}
	return head{lines[0], tlog.Tree{N: size, Hash: root}, cosigned}, nil
}

// tiles reads the hashes of an export. tlog.TileHashReader believes none that does not lead to the signed root.
type tiles string

func (t tiles) Height() int { return height }

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, each := range wanted {
		path := strings.Replace(each.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
		data, err := os.ReadFile(filepath.Join(string(t), path))
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

// everyEntry hashes all entries of the export and compares them with the leaves of the tree.
func everyEntry(directory string, tree tlog.Tree, hashes tlog.HashReader) (int64, error) {
	var index int64
	for index < tree.N {
		width := tree.N - index
		if width > 1<<height {
			width = 1 << height
		}
		name := tlog.Tile{H: height, L: -1, N: index >> height, W: int(width)}.Path()
		name = strings.Replace(name, fmt.Sprintf("tile/%d/data/", height), "tile/entries/", 1)
		data, err := os.ReadFile(filepath.Join(directory, name))
		if err != nil {
			return 0, err
		}
		for ; width > 0; width-- {
			if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
				return 0, fmt.Errorf("%s ends too early", name)
			}
			end := 2 + int(binary.BigEndian.Uint16(data))
			leaf, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
			if err != nil {
				return 0, err
			}
			if tlog.RecordHash(data[2:end]) != leaf[0] {
				return 0, fmt.Errorf("%s: entry %d is not the one in the tree", name, index)
			}
			data, index = data[end:], index+1
		}
		if len(data) != 0 {
			return 0, fmt.Errorf("%s has more than its entries", name)
		}
	}
	return index, nil
}

// inclusion checks a tlog-proof by itself, then that the tiles give the same one.
func inclusion(directory string, index int64, keys note.Verifiers, hashes tlog.HashReader) error {
	name := filepath.Join(directory, "entries", strconv.FormatInt(index, 10))
	leaf, err := os.ReadFile(name + ".json")
	if err != nil {
		return err
	}
	data, err := os.ReadFile(name + ".tlog-proof")
	if err != nil {
		return err
	}
	lines, checkpoint, _ := bytes.Cut(data, []byte("\n\n"))
	start := fmt.Sprintf("c2sp.org/tlog-proof@v1\nindex %d", index)
	if !bytes.HasPrefix(lines, []byte(start)) {
		return fmt.Errorf("is no tlog-proof of it")
	}
	proof, err := parsed(string(lines[len(start):]))
	if err != nil {
		return err
	}
	at, err := opened(checkpoint, keys)
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(proof, at.tree.N, at.tree.Hash, index, tlog.RecordHash(leaf)); err != nil {
		return err
	}
	own, err := tlog.ProveRecord(at.tree.N, index, hashes)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(own, tlog.RecordProof(proof)) {
		return fmt.Errorf("the tiles give another proof")
	}
	return nil
}

// consistency checks that the older log is the beginning of this one, and that the tiles give the same proof.
func consistency(directory string, keys note.Verifiers, now head, hashes tlog.HashReader) (int64, error) {
	before, err := signed(filepath.Join(directory, "checkpoint.old"), keys)
	if err != nil {
		return 0, err
	}
	data, err := os.ReadFile(filepath.Join(directory, "consistency"))
	if err != nil {
		return 0, err
	}
	proof, err := parsed(string(data))
	if err != nil {
		return 0, err
	}
	if err := tlog.CheckTree(proof, now.tree.N, now.tree.Hash, before.tree.N, before.tree.Hash); err != nil {
		return 0, err
	}
	own, err := tlog.ProveTree(now.tree.N, before.tree.N, hashes)
	if err != nil {
		return 0, err
	}
	if !reflect.DeepEqual(own, tlog.TreeProof(proof)) {
		return 0, fmt.Errorf("the tiles give another proof of consistency")
	}
	return before.tree.N, nil
}

// parsed reads hashes, one a line, in base64.
func parsed(lines string) ([]tlog.Hash, error) {
	var found []tlog.Hash
	for _, line := range strings.Fields(lines) {
		data, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(data) != tlog.HashSize {
			return nil, fmt.Errorf("a line is no hash")
		}
		found = append(found, *(*tlog.Hash)(data))
	}
	return found, nil
}
