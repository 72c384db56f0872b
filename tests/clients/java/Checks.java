// Runs the cases of one program, counts them, and holds what all of them assert with.

import io.nats.client.Connection;
import io.nats.client.ErrorListener;
import io.nats.client.JetStreamApiException;
import io.nats.client.Nats;
import io.nats.client.Options;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

final class Checks {
    private static final long CASE_SECONDS = 240;
    private static final long PROBE_MS = 10;
    static final long WAIT_MS = 30_000;

    private final Map<String, Body> cases = new LinkedHashMap<>();

    /** A case gets a connection to a server of its own. */
    interface Body {
        void run(Connection connection, Server server) throws Exception;
    }

    /** What fails on purpose. */
    interface Action {
        void run() throws Exception;
    }

    Checks add(String name, Body body) {
        cases.put(name, body);
        return this;
    }

    /** Runs every case and ends the program. */
    void run() {
        int failed = 0;
        for (var entry : cases.entrySet()) {
            try {
                within(entry.getValue());
                System.out.println("ok " + entry.getKey());
            } catch (Throwable error) {
                failed += 1;
                error.printStackTrace(System.out);
                System.out.println("FAILED " + entry.getKey());
            }
        }
        System.out.println("clients: " + (cases.size() - failed) + " passed, " + failed + " failed");
        System.exit(failed == 0 && !cases.isEmpty() ? 0 : 1);
    }

    private static void within(Body body) throws Exception {
        var thread = Executors.newSingleThreadExecutor(runnable -> {
            Thread one = new Thread(runnable);
            one.setDaemon(true);
            return one;
        });
        try (Server server = new Server()) {
            thread.submit(() -> {
                try (Connection connection = connect(server)) {
                    body.run(connection, server);
                }
                return null;
            }).get(CASE_SECONDS, TimeUnit.SECONDS);
        } finally {
            thread.shutdownNow();
        }
    }

    static Connection connect(Server server) throws Exception {
        Options options = Options.builder()
            .server(server.url)
            .maxReconnects(-1)
            .reconnectWait(Duration.ofMillis(50))
            // Says nothing: a case asserts what it is about.
            .errorListener(new ErrorListener() {})
            .build();
        return Nats.connect(options);
    }

    static void eventually(String what, Callable<Boolean> condition) throws Exception {
        eventually(what, WAIT_MS, condition);
    }

    static void eventually(String what, long limit, Callable<Boolean> condition) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(limit);
        while (System.nanoTime() < deadline) {
            if (condition.call()) {
                return;
            }
            TimeUnit.MILLISECONDS.sleep(PROBE_MS);
        }
        throw new AssertionError(what + ": not so after " + limit + " ms");
    }

    static void same(Object expected, Object found) {
        if (!Objects.equals(expected, found)) {
            throw new AssertionError("expected " + expected + ", found " + found);
        }
    }

    static void holds(String what, boolean so) {
        if (!so) {
            throw new AssertionError("not so: " + what);
        }
    }

    /** The action is refused by the API with this number and text. */
    static void refused(int code, String text, Action action) throws Exception {
        try {
            action.run();
        } catch (JetStreamApiException error) {
            same(code + " " + text, error.getApiErrorCode() + " " + error.getErrorDescription());
            return;
        }
        throw new AssertionError("expected a refusal: " + text);
    }
}
