// A filter and a transformation: tried on past messages, refused with their place, saved, and
// applied to the next messages.

import { signIn } from "../browser.mjs";

/** @typedef {import("../walk.mjs").Walk} Walk */
/** @typedef {import("playwright-core").Page} Page */

const WRONG_CODE = "function handler(webhook) {\n  return missing;\n}";
const CODE = `function handler(webhook) {
  console.log("amount", webhook.payload.amount);
  return { ...webhook, payload: { text: webhook.env.PREFIX + webhook.payload.amount } };
}`;
const PREFIX = "a prefix that is secret: ";

/** @param {Walk} walk */
export default async function shaping(walk) {
  await walk.api("POST", "/app", { name: "Acme", uid: "acme" });
  await walk.api("POST", "/event-type", { name: "invoice.paid", description: "Paid." });
  const { good } = walk.input.receivers;
  const { id } = await walk.api("POST", "/app/acme/endpoint", { url: good });
  for (const payload of [{ amount: 50 }, { amount: 150 }, { total: 1 }]) await send(walk, payload);

  const { page, faults } = await walk.signedIn();
  // The forms are shown again with the status 422.
  faults.expect(/status of 422/);
  await page.goto(walk.link(`/apps/acme/endpoints/${id}`));
  await page.getByRole("link", { name: "Filter and transformation" }).click();
  await walk.check(page, "empty filter and transformation");
  await changeFilter(walk, page, id);
  await changeTransformation(walk, page, id);
  await deliver(walk, page);
  await offers(walk, id);
}

/**
 * @param {Walk} walk
 * @param {Page} page
 * @param {string} id of the endpoint
 */
async function changeFilter(walk, page, id) {
  const expression = page.getByLabel("Expression");
  walk.step("a wrong filter is refused with its place");
  await expression.fill("payload.amount >");
  await page.getByRole("button", { name: "Save filter" }).click();
  await page.getByText(/line 1, column \d+/).first().waitFor();
  walk.assert((await expression.inputValue()) === "payload.amount >", "the expression is kept");
  await walk.check(page, "wrong filter");

  walk.step("a right one is tried on the past messages");
  await expression.fill("payload.amount > 100");
  await page.getByRole("button", { name: "Try filter" }).click();
  const result = page.getByRole("region", { name: "Result of the filter" });
  await result.getByText("of 3 messages").waitFor();
  const values = await result.locator(".numbers .value").allInnerTexts();
  walk.assert(values.join() === "1,1,1", `the trial counts ${values}`);
  await walk.check(page, "tried filter");
  walk.assert(!(await endpoint(walk, id)).filter, "a trial changes nothing");

  walk.step("the right one is saved");
  await page.getByRole("button", { name: "Save filter" }).click();
  await page.getByText("The filter has been saved").waitFor();
  walk.assert((await endpoint(walk, id)).filter === "payload.amount > 100", "the filter is stored");
}

/**
 * @param {Walk} walk
 * @param {Page} page
 * @param {string} id of the endpoint
 */
async function changeTransformation(walk, page, id) {
  const code = page.getByLabel("Code", { exact: true });
  walk.step("a button of one part keeps what was entered in the other");
  await code.fill(WRONG_CODE);
  await page.getByLabel("Expression").fill("payload.amount > 101");
  await page.getByRole("button", { name: "Try filter" }).click();
  await page.getByText("of 3 messages").first().waitFor();
  walk.assert((await code.inputValue()) === WRONG_CODE, "a trial of the filter loses the code");
  await page.getByRole("button", { name: "Save filter" }).click();
  await page.getByText("has changes that are not saved yet").waitFor();
  walk.assert((await code.inputValue()) === WRONG_CODE, "saving the filter loses the code");
  walk.assert((await endpoint(walk, id)).filter === "payload.amount > 101", "the filter is not stored");
  await walk.check(page, "saved filter with unsaved code");
  await page.getByLabel("Expression").fill("payload.amount > 100");
  walk.step("code that fails shows its place");
  await code.fill(WRONG_CODE);
  await page.getByRole("button", { name: "Try transformation" }).click();
  await page.getByText(/missing.*not defined.*line 2/i).first().waitFor();
  await walk.check(page, "transformation that fails");

  walk.step("code that fails is not saved unless a person insists");
  await page.getByRole("button", { name: "Save transformation" }).click();
  await page.getByLabel("Save although it failed").waitFor();
  walk.assert(!(await transformation(walk, id)).code, "code that fails is not stored");

  walk.step("code that runs shows its output");
  await code.fill(CODE);
  await page.getByLabel("Name 1", { exact: true }).fill("PREFIX");
  await page.getByLabel("Value 1", { exact: true }).fill(PREFIX);
  await page.getByLabel("Message", { exact: true }).selectOption({ label: "A payload of your own" });
  await page.getByLabel("Payload", { exact: true }).fill('{"amount": 7}');
  await page.getByRole("button", { name: "Try transformation" }).click();
  const output = page.getByRole("region", { name: "Output" });
  await output.getByText(`${PREFIX}7`).first().waitFor();
  await output.getByText("amount 7").first().waitFor();
  await walk.check(page, "transformation that runs");

  walk.step("it is saved, and its variables are not shown again");
  await page.getByLabel("Transform deliveries").check();
  await page.getByRole("button", { name: "Save transformation" }).click();
  await page.getByText("The transformation has been saved").waitFor();
  walk.assert((await transformation(walk, id)).enabled, "the transformation is stored and used");
  const expression = await page.getByLabel("Expression").inputValue();
  walk.assert(expression === "payload.amount > 100", "saving the transformation loses the filter");
  await page.getByRole("button", { name: "Save filter" }).click();
  await page.getByText("The filter has been saved").waitFor();
  walk.assert(!(await page.content()).includes(PREFIX), "the page contains the value of a variable");
  await walk.check(page, "saved transformation");
  await page.getByRole("button", { name: "Save transformation" }).click();
  await page.getByText("The transformation has been saved").waitFor();
}

/**
 * @param {Walk} walk
 * @param {Page} page
 */
async function deliver(walk, page) {
  walk.step("the next messages are filtered and transformed");
  const small = await send(walk, { amount: 10 });
  const large = await send(walk, { amount: 300 });
  const call = await walk.until("the message arrives", async () => {
    const calls = await walk.calls("good");
    return calls.find((it) => it.id === large);
  });
  const text = JSON.parse(call.body).text;
  walk.assert(text === `${PREFIX}300`, `the body is ${call.body}`);
  const arrived = (await walk.calls("good")).map((it) => it.id);
  walk.assert(!arrived.includes(small), "a message that does not match is not delivered");

  walk.step("the attempt shows the transformed body");
  const { data } = await walk.until("the attempt is recorded", async () => {
    const found = await walk.api("GET", `/app/acme/attempt/msg/${large}`);
    return found.data.length > 0 && found;
  });
  await page.goto(walk.link(`/apps/acme/messages/${large}/attempts/${data[0].id}`));
  await page.getByText(`${PREFIX}300`).first().waitFor();
  await walk.check(page, "attempt with a transformed body");
}

/**
 * The portal shows what its token allows.
 *
 * @param {Walk} walk
 * @param {string} id of the endpoint
 */
async function offers(walk, id) {
  for (const { capabilities, filter, transformation: script } of [
    { capabilities: ["ViewBase"], filter: false, transformation: false },
    { capabilities: ["ViewBase", "ManageEndpoint"], filter: true, transformation: false },
    { capabilities: ["ViewBase", "ManageTransformations"], filter: false, transformation: true },
  ]) {
    const name = capabilities.at(-1);
    walk.step(`opening the portal with ${name}`);
    const { url } = await walk.api("POST", "/auth/app-portal-access/acme", { capabilities });
    const { page } = await walk.page();
    await signIn(page, url);
    await page.goto(walk.link(`/portal/endpoints/${id}`));
    const tab = page.getByRole("link", { name: "Filter and transformation" });
    walk.assert((await tab.count() > 0) === (filter || script), `the tab is wrong with ${name}`);
    if (!filter && !script) continue;
    await tab.click();
    await page.getByRole("button", { name: /^Try (filter|transformation)$/ }).first().waitFor();
    walk.assert((await page.getByLabel("Expression").count() > 0) === filter, `the filter is wrong with ${name}`);
    const code = page.getByLabel("Code", { exact: true });
    walk.assert((await code.count() > 0) === script, `the transformation is wrong with ${name}`);
    await walk.check(page, `filter and transformation with ${name}`);
  }
}

/**
 * @param {Walk} walk
 * @param {unknown} payload
 * @returns {Promise<string>} the id
 */
async function send(walk, payload) {
  return (await walk.api("POST", "/app/acme/msg", { eventType: "invoice.paid", payload })).id;
}

/**
 * @param {Walk} walk
 * @param {string} id
 */
async function endpoint(walk, id) {
  return walk.api("GET", `/app/acme/endpoint/${id}`);
}

/**
 * @param {Walk} walk
 * @param {string} id
 */
async function transformation(walk, id) {
  return walk.api("GET", `/app/acme/endpoint/${id}/transformation`);
}
