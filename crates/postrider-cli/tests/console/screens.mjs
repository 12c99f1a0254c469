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
    ["messages", "/messages"],
    ["message", `${app}/messages/${data.messages[0]}`],
    ["attempt", `${app}/messages/${attempt?.msgId}/attempts/${attempt?.id}`],
    ["failures", "/failures"],
    ["tasks", "/tasks"],
    ["live", "/live"],
    ["event types", "/event-types"],
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
