# gem install ed25519 sinatra
require "base64"
require "ed25519"
require "sinatra"

public_key = ENV.fetch("WEBHOOK_PUBLIC_KEY").delete_prefix("whpk_")
KEY = Ed25519::VerifyKey.new(Base64.strict_decode64(public_key))

def valid?(body, id, timestamp, signatures)
  return false if (Time.now.to_i - timestamp.to_i).abs > 300

  signatures.to_s.split.any? do |signature|
    version, value = signature.split(",")
    version == "v1a" && KEY.verify(Base64.strict_decode64(value.to_s), "#{id}.#{timestamp}.".b + body)
  rescue ArgumentError, Ed25519::VerifyError
    false
  end
end

post "/webhooks" do
  id, timestamp, signatures = %w[ID TIMESTAMP SIGNATURE].map { |it| request.get_header("HTTP_WEBHOOK_#{it}") }
  body = request.body.read
  halt 400 unless valid?(body, id, timestamp, signatures)

  puts id, body
  status 204
end
