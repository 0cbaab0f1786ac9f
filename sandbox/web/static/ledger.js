// The member's ledger: the account, the jobs, and all movements with their postings.
import { byId, h, morphInto } from "./dom.js";
import { ask } from "./socket.js";
import { channelOf, me, serviceName, store } from "./store.js";
import { format } from "./time.js";

const whole = new Intl.NumberFormat("en-US");
const signed = new Intl.NumberFormat("en-US", { signDisplay: "always" });

export async function drawLedger() {
  let ledger;
  try {
    ledger = await ask("ledger", { guild: channelOf(store.channel)?.guild ?? null });
  } catch {
    return;
  }
  const top = byId("ledger-account");
  const place = byId("ledger");
  if (!top || !place) return;
  morphInto(top, account(ledger.account));
  morphInto(place, content(ledger));
}

// The credits are at the top: they stay in view beside the fault list.
function account(credits) {
  if (!credits) return h("p", { class: "hint" }, `${me().name} has no account here yet.`);
  return h("dl", { class: "account-credits" }, ["allowance", "granted", "held"].map((book) => h("div", {}, h("dt", {}, book), h("dd", { id: `ledger-${book}` }, whole.format(credits[book])))));
}

function content({ jobs, movements }) {
  if (jobs.length === 0 && movements.length === 0) return [h("p", { class: "hint" }, "No movements yet.")];
  return [
    h("h4", {}, "Jobs"),
    h("ul", { id: "ledger-jobs" }, jobs.map(job)),
    h("h4", {}, "Movements"),
    h("table", { id: "ledger-movements" },
      h("thead", {}, h("tr", {}, ["When", "What", "Postings"].map((each) => h("th", { scope: "col" }, each)))),
      h("tbody", {}, movements.map(movement))),
  ];
}

function job(each) {
  const charged = each.charged === null ? `${whole.format(each.price)} held or quoted` : `${whole.format(each.charged)} of ${whole.format(each.price)} charged`;
  return h("li", { "data-key": each.id, "data-state": each.state }, h("b", {}, each.state), ` ${each.prompt.slice(0, 60)} `, h("span", { class: "option-facts" }, [charged, each.provider && serviceName(each.provider), each.fault].filter(Boolean).join(" · ")));
}

function movement(each) {
  return h(
    "tr",
    { "data-key": each.id, "data-kind": each.kind },
    h("td", {}, format(each.at, "T")),
    h("td", {}, each.kind),
    h("td", {}, each.postings.map((posting) => h("span", { class: "posting", "data-sign": posting.amount < 0 ? "out" : "in" }, `${posting.book} ${signed.format(posting.amount)}`))),
  );
}
