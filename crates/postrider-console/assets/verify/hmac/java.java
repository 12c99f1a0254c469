// Maven or Gradle: com.svix:svix
import com.sun.net.httpserver.HttpServer;
import com.svix.Webhook;
import com.svix.exceptions.WebhookVerificationException;
import java.net.InetSocketAddress;
import java.net.http.HttpHeaders;
import java.nio.charset.StandardCharsets;

public class Receiver {
    public static void main(String[] arguments) throws Exception {
        var webhook = new Webhook(System.getenv("WEBHOOK_SECRET")); // whsec_…
        var server = HttpServer.create(new InetSocketAddress(3000), 0);
        server.createContext("/webhooks", exchange -> {
            var body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
            var headers = HttpHeaders.of(exchange.getRequestHeaders(), (name, value) -> true);
            int status = 204;
            try {
                webhook.verify(body, headers);
                System.out.println(body);
            } catch (WebhookVerificationException exception) {
                status = 400;
            }
            exchange.sendResponseHeaders(status, -1);
            exchange.close();
        });
        server.start();
    }
}
