// What every page does.

import { offerFiles } from "./file.js";
import { find } from "./find.js";
import { followFeed } from "./feed.js";
import { showCopyButtons } from "./copy.js";
import { inspect } from "./inspect.js";
import { follow } from "./live.js";
import { listen } from "./keys.js";
import { signIn } from "./login.js";
import { embed } from "./portal.js";
import { updateTimes } from "./time.js";

showCopyButtons();
offerFiles();
updateTimes();
setInterval(() => updateTimes(), 10_000);
listen();
embed();
signIn();
find();
inspect();
follow();
followFeed();
