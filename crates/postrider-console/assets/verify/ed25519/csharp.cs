// dotnet add package NSec.Cryptography
using System.Text;
using NSec.Cryptography;

var text = Environment.GetEnvironmentVariable("WEBHOOK_PUBLIC_KEY")!.Replace("whpk_", "");
var algorithm = SignatureAlgorithm.Ed25519;
var key = PublicKey.Import(algorithm, Convert.FromBase64String(text), KeyBlobFormat.RawPublicKey);

bool IsValid(byte[] body, IHeaderDictionary headers)
{
    var timestamp = headers["webhook-timestamp"].ToString();
    var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
    if (!long.TryParse(timestamp, out var seconds) || Math.Abs(now - seconds) > 300) return false;
    byte[] signed = [.. Encoding.UTF8.GetBytes($"{headers["webhook-id"]}.{timestamp}."), .. body];
    foreach (var signature in headers["webhook-signature"].ToString().Split(' '))
    {
        var bytes = new byte[64];
        if (signature.StartsWith("v1a,")
            && Convert.TryFromBase64String(signature[4..], bytes, out var length)
            && length == 64
            && algorithm.Verify(key, signed, bytes)) return true;
    }
    return false;
}

var app = WebApplication.CreateBuilder(args).Build();

app.MapPost("/webhooks", async (HttpRequest request) =>
{
    using var body = new MemoryStream();
    await request.Body.CopyToAsync(body);
    if (!IsValid(body.ToArray(), request.Headers)) return Results.BadRequest();
    Console.WriteLine($"{request.Headers["webhook-id"]} {Encoding.UTF8.GetString(body.ToArray())}");
    return Results.NoContent();
});

app.Run();
