// expect: NotJson
async function handler() {
  await new Promise(() => {});
}
