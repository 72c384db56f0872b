// Streams and publishing with jnats. Never takes from a consumer.

import io.nats.client.Connection;
import io.nats.client.JetStream;
import io.nats.client.JetStreamManagement;
import io.nats.client.PublishOptions;
import io.nats.client.PurgeOptions;
import io.nats.client.api.AccountStatistics;
import io.nats.client.api.DiscardPolicy;
import io.nats.client.api.PublishAck;
import io.nats.client.api.StorageType;
import io.nats.client.api.StreamConfiguration;
import io.nats.client.api.StreamInfo;
import java.util.List;

final class StreamCases {
    public static void main(String[] arguments) {
        new Checks()
            .add("stream_life", StreamCases::life)
            .add("publish_expectations", StreamCases::expectations)
            .add("get_delete_and_purge", StreamCases::messages)
            .add("limits", StreamCases::limits)
            .add("account_info_counts", StreamCases::account)
            .run();
    }

    private static StreamConfiguration.Builder stream() {
        return StreamConfiguration.builder().name("S").subjects("s.*").storageType(StorageType.File);
    }

    private static void life(Connection connection, Server server) throws Exception {
        JetStreamManagement manage = connection.jetStreamManagement();
        manage.addStream(stream().build());
        for (int n = 1; n <= 20; n += 1) {
            Checks.same((long) n, connection.jetStream().publish("s.a", new byte[n]).getSeqno());
        }
        StreamInfo changed = manage.updateStream(stream().subjects("s.*", "t").maxMessages(10).build());
        Checks.same(List.of(10L, 11L), List.of(changed.getStreamState().getMsgCount(), changed.getStreamState().getFirstSequence()));
        Checks.same(List.of("S"), manage.getStreamNames("t"));
        Checks.refused(10065, "subjects overlap with an existing stream",
            () -> manage.addStream(StreamConfiguration.builder().name("T").subjects("s.x").build()));
        Checks.same(true, manage.deleteStream("S"));
        Checks.refused(10059, "stream not found", () -> manage.getStreamInfo("S"));
    }

    private static void expectations(Connection connection, Server server) throws Exception {
        connection.jetStreamManagement().addStream(stream().build());
        JetStream js = connection.jetStream();
        PublishOptions id = PublishOptions.builder().messageId("a").build();
        PublishAck first = js.publish("s.a", null, id);
        PublishAck again = js.publish("s.a", null, id);
        Checks.same("1 false 1 true", first.getSeqno() + " " + first.isDuplicate() + " " + again.getSeqno() + " " + again.isDuplicate());
        Checks.refused(10071, "wrong last sequence: 1",
            () -> js.publish("s.a", null, PublishOptions.builder().expectedLastSequence(7).build()));
        Checks.refused(10070, "wrong last msg ID: a",
            () -> js.publish("s.a", null, PublishOptions.builder().expectedLastMsgId("b").build()));
        Checks.refused(10060, "expected stream does not match",
            () -> js.publish("s.a", null, PublishOptions.builder().expectedStream("T").build()));
        PublishOptions right = PublishOptions.builder().expectedLastSequence(1).expectedLastSubjectSequence(1).build();
        Checks.same(2L, js.publish("s.a", null, right).getSeqno());
    }

    private static void messages(Connection connection, Server server) throws Exception {
        JetStreamManagement manage = connection.jetStreamManagement();
        manage.addStream(stream().allowDirect(true).build());
        for (int n = 1; n < 10; n += 1) {
            connection.jetStream().publish("s." + n % 3, new byte[n]);
        }
        Checks.same("s.1", manage.getMessage("S", 4).getSubject());
        Checks.same(8L, manage.getLastMessage("S", "s.2").getSeq());
        Checks.same(6L, manage.getNextMessage("S", 5, "s.0").getSeq());
        Checks.same(true, manage.deleteMessage("S", 4));
        Checks.refused(10037, "no message found", () -> manage.getMessage("S", 4));
        Checks.same(2L, manage.purgeStream("S", PurgeOptions.builder().subject("s.0").keep(1).build()).getPurged());
        Checks.same(6L, manage.getStreamInfo("S").getStreamState().getMsgCount());
    }

    private static void limits(Connection connection, Server server) throws Exception {
        connection.jetStreamManagement().addStream(stream().maxMessages(2).discardPolicy(DiscardPolicy.New).build());
        JetStream js = connection.jetStream();
        js.publish("s.a", null);
        js.publish("s.a", null);
        Checks.refused(10077, "maximum messages exceeded", () -> js.publish("s.a", null));
    }

    private static void account(Connection connection, Server server) throws Exception {
        connection.jetStreamManagement().addStream(stream().build());
        AccountStatistics account = connection.jetStreamManagement().getAccountStatistics();
        Checks.same(List.of(1L, 0L, -1L), List.of(account.getStreams(), account.getConsumers(), account.getLimits().getMaxStreams()));
    }
}
