// An audit trail in Go, written from docs/events.md alone: it prints a line for each app that is registered and each key that is rotated.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/segmentio/kafka-go"
)

// Event is what we need of a CloudEvent; whatever else is in it is ignored, as the contract asks.
type Event struct {
	SpecVersion   string          `json:"specversion"`
	Type          string          `json:"type"`
	Subject       string          `json:"subject"`
	StreamVersion int             `json:"streamversion"`
	Data          json.RawMessage `json:"data"`
}

// AppRegistered is the data of registry.AppRegistered.v1.
type AppRegistered struct {
	AppID string `json:"app_id"`
	Name  string `json:"name"`
}

// KeyRotated is the data of keys.KeyRotated.v1.
type KeyRotated struct {
	AppID       string `json:"app_id"`
	Environment string `json:"environment"`
	OldPairID   string `json:"old_pair_id"`
	NewPairID   string `json:"new_pair_id"`
}

// Audit remembers the latest version of each stream, so that a record that comes again is dropped.
type Audit struct{ seen map[string]int }

// Hear prints one record's line. An error means that the record can never be read; it says nothing about the next one.
func (a *Audit) Hear(value []byte) error {
	var event Event
	if err := json.Unmarshal(value, &event); err != nil {
		return err
	}
	if event.SpecVersion != "1.0" || event.Subject == "" || event.StreamVersion < 1 {
		return errors.New("not an event of the contract")
	}
	if event.StreamVersion <= a.seen[event.Subject] {
		return nil
	}
	line, err := lineOf(event)
	if err != nil {
		return err
	}
	if line != "" {
		fmt.Println(line)
	}
	a.seen[event.Subject] = event.StreamVersion
	return nil
}

func lineOf(event Event) (string, error) {
	switch event.Type {
	case "registry.AppRegistered.v1":
		var app AppRegistered
		err := json.Unmarshal(event.Data, &app)
		return fmt.Sprintf("AppRegistered %s %s", app.AppID, app.Name), err
	case "keys.KeyRotated.v1":
		var rotated KeyRotated
		err := json.Unmarshal(event.Data, &rotated)
		return fmt.Sprintf("KeyRotated %s %s %s %s", rotated.AppID, rotated.Environment, rotated.OldPairID, rotated.NewPairID), err
	}
	for _, known := range []string{"registry.AppRegistered.", "keys.KeyRotated."} {
		if strings.HasPrefix(event.Type, known) {
			return "", fmt.Errorf("%s is a version that must not be guessed at", event.Type)
		}
	}
	return "", nil
}

// told is an environment variable, or what holds without it.
func told(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	topics := strings.Split(told("TOPICS", "registry.app.events.v1,keys.keyring.events.v1"), ",")
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{os.Getenv("KAFKA")}, GroupID: told("GROUP", "audit-go"), GroupTopics: topics,
		StartOffset: kafka.FirstOffset, MaxBytes: 10_000_000, WatchPartitionChanges: true,
	})
	defer reader.Close()
	audit := Audit{seen: map[string]int{}}
	for {
		message, err := reader.FetchMessage(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "kafka:", err)
			continue
		}
		if err := audit.Hear(message.Value); err != nil {
			fmt.Fprintf(os.Stderr, "put aside %s/%d/%d: %v\n", message.Topic, message.Partition, message.Offset, err)
		}
		// Told after it was printed, so that a crash prints it again rather than never.
		if err := reader.CommitMessages(ctx, message); err != nil && ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "kafka:", err)
		}
	}
}
