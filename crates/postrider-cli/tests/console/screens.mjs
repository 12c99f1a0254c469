// The screens of the console with data.

/**
 * Names and paths.
 *
 * @param {import("./data.mjs").Data} data
 * @returns {[string, string][]}
 */
export function screens(data) {
  const attempt = data.attempts[0];
  const app = `/apps/${data.app}`;
  return [
    ["overview", "/"],
    ["applications", "/apps"],
    ["application", app],
    ["endpoints", "/endpoints"],
    ...Object.entries(data.endpoints).map(
      ([kind, id]) => /** @type {[string, string]} */ ([`${kind} endpoint`, `${app}/endpoints/${id}`]),
    ),
    ["filter and transformation", `${app}/endpoints/${data.endpoints.good}/filter`],
    ["start from a template", `${app}/endpoints/${data.endpoints.good}/filter?from=template:Telegram`],
    ["messages", "/messages"],
    ["message", `${app}/messages/${data.messages[0]}`],
    ["scheduled message", `${app}/messages/${data.scheduled}`],
    ["attempt", `${app}/messages/${attempt?.msgId}/attempts/${attempt?.id}`],
    ["failures", "/failures"],
    ["tasks", "/tasks"],
    ["live", "/live"],
    ["event types", "/event-types"],
    ["changing an event type", "/event-types/invoice.paid/edit"],
    ["connectors", "/connectors"],
    ["connector", `/connectors/${data.connector}`],
    ["changing a connector", `/connectors/${data.connector}/edit`],
    ["choosing a template", "/connectors/new"],
    ["creating a connector", "/connectors/new/Slack"],
    ["sources", "/sources"],
    ["source", `/sources/${data.sources.github}`],
    ["rejected", `/sources/${data.sources.github}/rejected`],
    ["choosing a provider", "/sources/new"],
    ["consumers", "/consumers"],
    ["inspect", "/inspect"],
    ["settings", "/settings"],
    ["API keys", "/settings/keys"],
    ["sending a message", `${app}/send`],
    ["choosing a kind of endpoint", `${app}/endpoints/new`],
    ["documentation", "/docs"],
  ];
}
