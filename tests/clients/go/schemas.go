// What the server says over the JetStream API, in advisories and in metrics, against the schemas that jsm.go holds it to.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/jsm.go/schemas"
	"github.com/nats-io/nats.go"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var schemaCases = []namedCase{
	{"answers_by_schema", answersBySchema},
	{"backups_by_schema", backupsBySchema},
	{"advisories_by_schema", advisoriesBySchema},
}

// checker holds messages against the schema of the type that they name.
type checker struct {
	lock  sync.Mutex
	known map[string]*jsonschema.Schema
	seen  map[string]bool
}

func newChecker() *checker {
	return &checker{known: map[string]*jsonschema.Schema{}, seen: map[string]bool{}}
}

// corrected is a schema without what the server that it was written for does not keep to itself: some want sequences as text,
// and the server's name where it is not said.
func corrected(source []byte) []byte {
	sequences := regexp.MustCompile(`("(?:consumer|stream)_seq": \{\s*"type": )"string"`)
	source = sequences.ReplaceAll(source, []byte(`$1"integer"`))
	return regexp.MustCompile(`("timestamp",\s*)"server",`).ReplaceAll(source, []byte(`$1`))
}

func compiled(kind string) *jsonschema.Schema {
	path := strings.ReplaceAll(strings.TrimPrefix(kind, "io.nats."), ".", "/") + ".json"
	source := corrected(got(schemas.Load(path)))
	text := got(jsonschema.UnmarshalJSON(bytes.NewReader(source)))
	compiler := jsonschema.NewCompiler()
	must(compiler.AddResource(path, text))
	return got(compiler.Compile(path))
}

// check takes a message of the kind it names itself, or of the kind given where it names none.
func (c *checker) check(kind string, text []byte) {
	var named struct{ Type string }
	must(json.Unmarshal(text, &named))
	if named.Type != "" {
		kind = named.Type
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.known[kind] == nil {
		c.known[kind] = compiled(kind)
	}
	value := got(jsonschema.UnmarshalJSON(bytes.NewReader(text)))
	if err := c.known[kind].Validate(value); err != nil {
		panic(fmt.Errorf("%s: %v in %s", kind, err, text))
	}
	c.seen[kind] = true
}

// saw ends the case when one of these was never said.
func (c *checker) saw(prefix string, names ...string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	for _, name := range names {
		if !c.seen[prefix+name] {
			panic(fmt.Errorf("%s was not said", prefix+name))
		}
	}
}

const apiKind = "io.nats.jetstream.api.v1."

// ask checks an answer of the API and gives it back.
func (c *checker) ask(b *bench, subject, body string) []byte {
	text := got(b.nc.Request("$JS.API."+subject, []byte(body), soon)).Data
	c.check("", text)
	return text
}

// publish checks an acknowledgement.
func (c *checker) publish(b *bench, subject string, headers nats.Header) {
	answer := got(b.nc.RequestMsg(&nats.Msg{Subject: subject, Header: headers, Data: []byte("text")}, soon))
	c.check(apiKind+"pub_ack_response", answer.Data)
}

func answersBySchema(b *bench) {
	c := newChecker()
	for _, storage := range []string{"file", "memory"} {
		stream := fmt.Sprintf(`{"name":"S","subjects":["s.>"],"storage":%q,"max_age":60000000000,"allow_direct":true,
			"allow_msg_ttl":true,"metadata":{"a":"b"},"republish":{"src":"s.>","dest":"r.>"}`, storage)
		c.ask(b, "STREAM.CREATE.S", stream+`}`)
		c.ask(b, "STREAM.UPDATE.S", stream+`,"description":"more"}`)
		for n := range 5 {
			c.publish(b, fmt.Sprintf("s.%d", n), nats.Header{"Nats-Msg-Id": {fmt.Sprint(n)}})
		}
		c.publish(b, "s.1", nats.Header{"Nats-Msg-Id": {"1"}})
		c.publish(b, "s.1", nats.Header{"Nats-Expected-Stream": {"T"}})
		c.ask(b, "STREAM.MSG.GET.S", `{"seq":2}`)
		c.ask(b, "STREAM.MSG.GET.S", `{"seq":99}`)
		c.ask(b, "STREAM.MSG.DELETE.S", `{"seq":3}`)
		c.ask(b, "STREAM.INFO.S", `{"deleted_details":true,"subjects_filter":">"}`)
		c.ask(b, "STREAM.NAMES", ``)
		c.ask(b, "STREAM.LIST", ``)
		c.ask(b, "CONSUMER.CREATE.S.C", `{"stream_name":"S","config":{"durable_name":"C","ack_policy":"explicit","max_ack_pending":5,
			"metadata":{"a":"b"},"priority_groups":["g"],"priority_policy":"pinned_client"}}`)
		c.ask(b, "CONSUMER.CREATE.S.P", `{"stream_name":"S","config":{"durable_name":"P","deliver_subject":"to","ack_policy":"all",
			"flow_control":true,"idle_heartbeat":5000000000,"filter_subjects":["s.1","s.2"]}}`)
		c.ask(b, "CONSUMER.INFO.S.C", ``)
		c.ask(b, "CONSUMER.NAMES.S", ``)
		c.ask(b, "CONSUMER.LIST.S", ``)
		c.ask(b, "CONSUMER.PAUSE.S.C", `{"pause_until":"2099-01-01T00:00:00Z"}`)
		c.ask(b, "CONSUMER.UNPIN.S.C", `{"group":"g"}`)
		c.ask(b, "CONSUMER.RESET.S.P", ``)
		c.ask(b, "CONSUMER.DELETE.S.C", ``)
		c.ask(b, "CONSUMER.DELETE.S.C", ``)
		c.ask(b, "STREAM.CREATE.M", `{"name":"M","mirror":{"name":"S"}}`)
		c.ask(b, "STREAM.CREATE.O", `{"name":"O","sources":[{"name":"S","filter_subject":"s.1"}]}`)
		c.ask(b, "STREAM.LIST", ``)
		c.ask(b, "INFO", ``)
		c.ask(b, "STREAM.PURGE.S", `{"filter":"s.1"}`)
		for _, name := range []string{"M", "O", "S", "S"} {
			c.ask(b, "STREAM.DELETE."+name, ``)
		}
	}
	c.saw(apiKind, "stream_create_response", "stream_update_response", "stream_info_response", "stream_list_response",
		"stream_names_response", "stream_msg_get_response", "stream_msg_delete_response", "stream_purge_response",
		"stream_delete_response", "consumer_create_response", "consumer_info_response", "consumer_names_response",
		"consumer_list_response", "consumer_pause_response", "consumer_unpin_response", "consumer_reset_response",
		"consumer_delete_response", "account_info_response", "pub_ack_response")
}

// listen checks everything that is told from here on.
func (c *checker) listen(b *bench, failures chan<- error) {
	got(b.nc.Subscribe("$JS.EVENT.>", func(m *nats.Msg) {
		defer func() {
			if caught := recover(); caught != nil {
				select {
				case failures <- fmt.Errorf("%v", caught):
				default:
				}
			}
		}()
		c.check("", m.Data)
	}))
	must(b.nc.Flush())
}

// heard waits until each of these was told, and ends the case when one told anything else.
func (c *checker) heard(failures <-chan error, prefix string, names ...string) {
	for _, name := range names {
		eventually(name, 3*soon, func() bool {
			select {
			case err := <-failures:
				panic(err)
			default:
			}
			c.lock.Lock()
			defer c.lock.Unlock()
			return c.seen[prefix+name]
		})
	}
}

func backupsBySchema(b *bench) {
	c, failures := newChecker(), make(chan error, 1)
	c.listen(b, failures)
	c.ask(b, "STREAM.CREATE.S", `{"name":"S","subjects":["s"]}`)
	c.publish(b, "s", nil)
	chunks := got(b.nc.SubscribeSync("chunks"))
	var asked struct{ Config, State json.RawMessage }
	must(json.Unmarshal(c.ask(b, "STREAM.SNAPSHOT.S", `{"deliver_subject":"chunks"}`), &asked))
	archive := []byte{}
	for {
		chunk := got(chunks.NextMsg(soon))
		if len(chunk.Data) == 0 {
			break
		}
		archive = append(archive, chunk.Data...)
		if chunk.Reply != "" {
			must(chunk.Respond(nil))
		}
	}
	c.ask(b, "STREAM.DELETE.S", ``)
	var begun struct {
		To string `json:"deliver_subject"`
	}
	request := got(json.Marshal(asked))
	request = bytes.Replace(bytes.Replace(request, []byte(`"Config"`), []byte(`"config"`), 1), []byte(`"State"`), []byte(`"state"`), 1)
	must(json.Unmarshal(c.ask(b, "STREAM.RESTORE.S", string(request)), &begun))
	got(b.nc.Request(begun.To, archive, soon))
	c.check("", got(b.nc.Request(begun.To, nil, soon)).Data)
	c.heard(failures, "io.nats.jetstream.advisory.v1.", "snapshot_create", "snapshot_complete", "restore_create",
		"restore_complete")
}

func advisoriesBySchema(b *bench) {
	c, failures := newChecker(), make(chan error, 1)
	c.listen(b, failures)
	c.ask(b, "STREAM.CREATE.S", `{"name":"S","subjects":["s"],"allow_atomic":true}`)
	c.ask(b, "CONSUMER.CREATE.S.C", `{"stream_name":"S","config":{"durable_name":"C","ack_policy":"explicit","max_deliver":1,
		"ack_wait":100000000,"sample_freq":"100"}}`)
	c.ask(b, "CONSUMER.CREATE.S.P", `{"stream_name":"S","config":{"durable_name":"P","ack_policy":"explicit",
		"priority_groups":["g"],"priority_policy":"pinned_client"}}`)
	for _, answer := range []string{"-NAK", "+TERM because", "+ACK", ""} {
		c.publish(b, "s", nil)
		message := got(b.nc.Request("$JS.API.CONSUMER.MSG.NEXT.S.C", []byte(`{"batch":1,"expires":5000000000}`), soon))
		if answer != "" {
			must(b.nc.Publish(message.Reply, []byte(answer)))
		}
	}
	got(b.nc.Request("$JS.API.CONSUMER.MSG.NEXT.S.P", []byte(`{"batch":1,"expires":5000000000,"group":"g"}`), soon))
	c.ask(b, "CONSUMER.UNPIN.S.P", `{"group":"g"}`)
	c.ask(b, "CONSUMER.PAUSE.S.P", fmt.Sprintf(`{"pause_until":%q}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339)))
	begin := nats.Header{"Nats-Batch-Id": {"b"}, "Nats-Batch-Sequence": {"1"}}
	got(b.nc.RequestMsg(&nats.Msg{Subject: "s", Header: begin}, soon))
	c.publish(b, "s", nats.Header{"Nats-Batch-Id": {"b"}, "Nats-Batch-Sequence": {"3"}})
	c.ask(b, "CONSUMER.DELETE.S.C", ``)
	c.ask(b, "STREAM.DELETE.S", ``)
	c.heard(failures, "io.nats.jetstream.advisory.v1.", "api_audit", "stream_action", "consumer_action", "nak", "terminated",
		"max_deliver", "consumer_group_pinned", "consumer_group_unpinned", "consumer_pause", "stream_batch_abandoned")
	c.heard(failures, "io.nats.jetstream.metric.v1.", "consumer_ack")
}
