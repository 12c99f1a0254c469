# gem install sinatra standardwebhooks
require "sinatra"
require "standardwebhooks"

webhook = StandardWebhooks::Webhook.new(ENV.fetch("WEBHOOK_SECRET")) # whsec_…

post "/webhooks" do
  headers = %w[webhook-id webhook-timestamp webhook-signature].to_h do |name|
    [name, request.get_header("HTTP_#{name.upcase.tr("-", "_")}")]
  end
  begin
    event = webhook.verify(request.body.read, headers)
  rescue StandardWebhooks::WebhookVerificationError
    halt 400
  end
  puts headers["webhook-id"], event
  status 204
end
