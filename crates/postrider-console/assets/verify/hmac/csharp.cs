// dotnet add package Svix
using System.Net;
using Svix;
using Svix.Exceptions;

var webhook = new Webhook(Environment.GetEnvironmentVariable("WEBHOOK_SECRET")!); // whsec_…
var app = WebApplication.CreateBuilder(args).Build();

app.MapPost("/webhooks", async (HttpRequest request) =>
{
    var body = await new StreamReader(request.Body).ReadToEndAsync();
    var headers = new WebHeaderCollection();
    foreach (var header in request.Headers) headers.Set(header.Key, header.Value.ToString());
    try
    {
        webhook.Verify(body, headers);
    }
    catch (WebhookVerificationException)
    {
        return Results.BadRequest();
    }
    Console.WriteLine($"{headers["webhook-id"]} {body}");
    return Results.NoContent();
});

app.Run();
