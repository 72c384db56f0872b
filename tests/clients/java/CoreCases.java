// Core NATS and the service API with jnats. Never touches JetStream.

import io.nats.client.Connection;
import io.nats.client.Message;
import io.nats.client.Subscription;
import io.nats.client.impl.Headers;
import io.nats.client.impl.NatsMessage;
import io.nats.service.Discovery;
import io.nats.service.Service;
import io.nats.service.ServiceEndpoint;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.CancellationException;
import java.util.concurrent.atomic.AtomicIntegerArray;

final class CoreCases {
    private static final Duration SOON = Duration.ofSeconds(20);

    public static void main(String[] arguments) {
        new Checks()
            .add("publish_and_wildcards", CoreCases::publishAndWildcards)
            .add("queue_group_shares", CoreCases::queueGroup)
            .add("request_with_headers", CoreCases::request)
            .add("no_responders", CoreCases::noResponders)
            .add("drain_delivers_what_came", CoreCases::drain)
            .add("reconnects_after_a_restart", CoreCases::reconnect)
            .add("service_answers_and_is_found", CoreCases::service)
            .run();
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String text(Message message) {
        return new String(message.getData(), StandardCharsets.UTF_8);
    }

    private static List<String> take(Subscription subscription, int count) throws Exception {
        List<String> taken = new ArrayList<>();
        while (taken.size() < count) {
            taken.add(subscription.nextMessage(SOON).getSubject());
        }
        return taken;
    }

    private static void publishAndWildcards(Connection connection, Server server) throws Exception {
        Subscription every = connection.subscribe("a.>");
        Subscription one = connection.subscribe("a.*");
        for (String subject : List.of("a.b", "a.b.c", "b.a", "a.c")) {
            connection.publish(subject, bytes(subject));
        }
        Checks.same(List.of("a.b", "a.b.c", "a.c"), take(every, 3));
        Checks.same(List.of("a.b", "a.c"), take(one, 2));
        Checks.holds("limits are told", connection.getServerInfo().getMaxPayload() == 1 << 20);
    }

    private static void queueGroup(Connection connection, Server server) throws Exception {
        AtomicIntegerArray seen = new AtomicIntegerArray(3);
        for (int n = 0; n < 3; n += 1) {
            int which = n;
            connection.createDispatcher(m -> seen.incrementAndGet(which)).subscribe("q", "workers");
        }
        for (int n = 0; n < 300; n += 1) {
            connection.publish("q", null);
        }
        Checks.eventually("300 messages", () -> seen.get(0) + seen.get(1) + seen.get(2) == 300);
        for (int n = 0; n < 3; n += 1) {
            Checks.holds("all had some: " + seen, seen.get(n) > 30);
        }
    }

    private static void request(Connection connection, Server server) throws Exception {
        connection.createDispatcher(m -> connection.publish(
            NatsMessage.builder().subject(m.getReplyTo()).headers(m.getHeaders()).data(text(m) + text(m)).build()
        )).subscribe("double");
        Headers headers = new Headers().add("N", "1", "2");
        Message answer = connection.request("double", headers, bytes("ab"), SOON);
        Checks.same("abab", text(answer));
        Checks.same(List.of("1", "2"), answer.getHeaders().get("N"));
    }

    private static void noResponders(Connection connection, Server server) throws Exception {
        CompletableFuture<Message> answer = connection.request("nobody", null);
        try {
            answer.get();
        } catch (ExecutionException | CancellationException expected) {
            return;
        }
        throw new AssertionError("nobody answered, and it was not told");
    }

    private static void drain(Connection connection, Server server) throws Exception {
        Connection other = Checks.connect(server);
        List<String> seen = new ArrayList<>();
        other.createDispatcher(m -> seen.add(m.getSubject())).subscribe("d");
        other.flush(SOON);
        for (int n = 0; n < 1000; n += 1) {
            connection.publish("d", null);
        }
        connection.flush(SOON);
        Checks.same(true, other.drain(SOON).get());
        Checks.same(1000, seen.size());
    }

    private static void reconnect(Connection connection, Server server) throws Exception {
        Subscription subscription = connection.subscribe("r");
        String port = server.port();
        CompletableFuture<Void> back = new CompletableFuture<>();
        connection.addConnectionListener((c, type) -> {
            if (type == io.nats.client.ConnectionListener.Events.RESUBSCRIBED) {
                back.complete(null);
            }
        });
        server.kill();
        server.start(port);
        back.get();
        connection.publish("r", bytes("again"));
        Checks.same("again", text(subscription.nextMessage(SOON)));
    }

    private static void service(Connection connection, Server server) throws Exception {
        ServiceEndpoint say = ServiceEndpoint.builder()
            .endpointName("say")
            .handler(m -> m.respond(connection, m.getData()))
            .build();
        Service service = Service.builder()
            .connection(connection)
            .name("echo")
            .version("1.0.0")
            .addServiceEndpoint(say)
            .build();
        service.startService();
        connection.flush(SOON);
        Checks.same("x", text(connection.request("say", bytes("x"), SOON)));
        Discovery discovery = new Discovery(connection, 2000, 1);
        Checks.same(service.getId(), discovery.ping("echo").get(0).getId());
        Checks.same(1, discovery.info("echo").get(0).getEndpoints().size());
        Checks.same(1L, discovery.stats("echo").get(0).getEndpointStatsList().get(0).getNumRequests());
        service.stop();
    }
}
