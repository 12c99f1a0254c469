// Records which operations of a client are called, to find those that no scenario calls.

/** The operations of the client: their names with the resources that they belong to. */
function* operations(resource, prefix = []) {
  const prototype = Object.getPrototypeOf(resource);
  for (const [name, { get, value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    if (name === "constructor" || name.startsWith("_")) continue;
    if (get) {
      const below = resource[name];
      if (typeof below === "object" && below.constructor !== Object) yield* operations(below, [...prefix, name]);
    } else if (typeof value === "function" && prefix.length > 0) {
      yield { name: [...prefix, name].join("."), prototype, method: name, call: value };
    }
  }
}

/** Records the calls of all clients of the same class from now on; returns what was not called. */
export function observe(client) {
  const missing = new Set();
  for (const { name, prototype, method, call } of [...operations(client)]) {
    missing.add(name);
    prototype[method] = function observed(...given) {
      missing.delete(name);
      return call.apply(this, given);
    };
  }
  return missing;
}
