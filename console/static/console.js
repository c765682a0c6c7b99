// The console's only script. Every page works without it; it adds local times, copy buttons and keys.
(() => {
  "use strict";

  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Times: the server writes UTC, the reader reads their own zone.
  const long = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
  const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
  const dated = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });

  function short(moment) {
    const now = new Date();
    if (moment.toDateString() === now.toDateString()) return clock.format(moment);
    return (moment.getFullYear() === now.getFullYear() ? day : dated).format(moment);
  }

  function localTimes(root) {
    for (const each of all("time[datetime]", root)) {
      const moment = new Date(each.dateTime);
      if (Number.isNaN(moment.getTime())) continue;
      each.title = `${long.format(moment)} (${each.dateTime})`;
      each.textContent = each.dataset.style === "short" ? short(moment) : long.format(moment);
    }
  }

  // Copy buttons: <button data-copy="id of an input">.
  function copyButtons() {
    for (const button of all("button[data-copy]")) {
      const source = document.getElementById(button.dataset.copy);
      button.hidden = false;
      button.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText(source.value);
          button.textContent = "Copied";
        } catch {
          source.focus();
          source.select();
          button.textContent = "Press Ctrl+C";
        }
      });
    }
  }

  // The live try of match rules: while they are being written, what they would do.
  function liveTry() {
    const button = document.querySelector("button[data-try]");
    if (!button) return;
    const { form } = button;
    const into = document.getElementById("trial");
    let waiting = 0;
    let newest = 0;
    const run = async () => {
      const mine = ++newest;
      button.classList.add("busy");
      try {
        const headers = { "X-Requested-With": "XMLHttpRequest" };
        const answer = await fetch(button.dataset.try, { method: "POST", body: new FormData(form), headers });
        if (mine !== newest) return;
        if (!answer.ok) throw new Error(String(answer.status));
        into.replaceChildren(...new DOMParser().parseFromString(await answer.text(), "text/html").body.childNodes);
      } catch {
        into.textContent = "The try did not work: reload the page.";
      } finally {
        if (mine === newest) button.classList.remove("busy");
      }
    };
    button.addEventListener("click", (event) => {
      event.preventDefault();
      run();
    });
    for (const name of ["rules", "rules_match", "mailbox", "priority"]) {
      form.elements[name].addEventListener("input", () => {
        clearTimeout(waiting);
        waiting = setTimeout(run, 600);
      });
    }
  }

  // A form is sent once, and says that it is on its way.
  function busyForms() {
    for (const form of all("form[method=post]")) {
      form.addEventListener("submit", (event) => {
        if (event.defaultPrevented) return;
        if (form.dataset.sent) return event.preventDefault();
        const asked = event.submitter?.dataset.confirm;
        if (asked && !window.confirm(asked)) return event.preventDefault();
        form.dataset.sent = "1";
        event.submitter?.classList.add("busy");
      });
    }
    window.addEventListener("pageshow", () => {
      for (const form of all("form[data-sent]")) delete form.dataset.sent;
      for (const each of all(".busy")) each.classList.remove("busy");
    });
  }

  // What a choice hides or shows: data-when="name=value other" on a part of the same form.
  function dependentParts() {
    for (const form of all("form")) {
      const parts = all("[data-when]", form);
      if (!parts.length) continue;
      const update = () => {
        for (const part of parts) {
          const [name, values] = part.dataset.when.split("=");
          const input = form.elements[name];
          const value = input instanceof HTMLInputElement && input.type === "checkbox" ? String(input.checked) : input.value;
          part.hidden = !values.split("|").includes(value);
        }
      };
      form.addEventListener("change", update);
      update();
    }
  }

  // The test of a mailbox: one request a step, so that each shows as it comes.
  function testSteps() {
    const form = document.querySelector("form[data-test]");
    if (!form) return;
    const list = document.getElementById("steps");
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const button = form.querySelector("button");
      button.disabled = true;
      button.classList.add("busy");
      list.replaceChildren();
      const body = () => new URLSearchParams({ csrf: form.elements.csrf.value });
      const headers = { "X-Requested-With": "XMLHttpRequest" };
      try {
        for (const step of list.dataset.steps.split(" ")) {
          const answer = await fetch(`${form.dataset.test}/${step}`, { method: "POST", body: body(), headers });
          if (!answer.ok) throw new Error(String(answer.status));
          const part = new DOMParser().parseFromString(await answer.text(), "text/html").body.firstElementChild;
          list.append(part);
          if (part.dataset.outcome === "failed") break;
        }
      } catch (error) {
        const line = document.createElement("li");
        line.textContent = error.message === "401" ? "Your sign-in has ended: reload the page." : "The test broke off: try it again.";
        list.append(line);
      }
      button.disabled = false;
      button.classList.remove("busy");
    });
  }

  // Single keys, for who works here all day; they can be switched off (WCAG 2.2, 2.1.4).
  function keys() {
    const dialog = document.getElementById("keys");
    if (!dialog) return;
    const list = document.querySelector("[data-list]");
    const items = list ? all("tbody tr", list) : all("[data-item]");
    const off = "console-keys-off";
    const working = document.getElementById("keys-on");
    working.checked = !localStorage.getItem(off);
    working.addEventListener("change", () => (working.checked ? localStorage.removeItem(off) : localStorage.setItem(off, "1")));
    for (const each of all("[data-keys]")) {
      each.hidden = false;
      each.addEventListener("click", () => dialog.showModal());
    }
    let at = -1;
    const go = (to) => {
      items[at]?.classList.remove("at");
      at = Math.max(0, Math.min(items.length - 1, to));
      const item = items[at];
      if (!item) return;
      item.classList.add("at");
      (list ? item.querySelector("th a") : item).focus();
      item.scrollIntoView({ block: "nearest" });
    };
    const actions = {
      j: () => go(at + 1),
      k: () => go(at - 1),
      x: () => items[at]?.querySelector("input[type=checkbox]")?.click(),
      c: () => (list ? list.closest("form")?.querySelector(".pager button") : document.querySelector("[data-close]"))?.click(),
      n: () => document.getElementById("note")?.focus(),
      u: () => document.querySelector("[data-up]")?.click(),
      "/": () => document.getElementById("text")?.focus(),
      "?": () => dialog.showModal(),
    };
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || dialog.open || !working.checked) return;
      if (event.target.closest("input:not([type=checkbox]), textarea, select")) return;
      const action = actions[event.key];
      if (!action) return;
      event.preventDefault();
      action();
    });
  }

  // "Mark all" in the head of a list.
  function markAll() {
    for (const box of all("input[data-all]")) {
      const marks = () => all("tbody input[type=checkbox]", box.closest("table"));
      if (!marks().length) continue;
      box.hidden = false;
      box.addEventListener("change", () => marks().forEach((each) => (each.checked = box.checked)));
    }
  }

  document.documentElement.classList.add("scripted");
  localTimes(document);
  copyButtons();
  keys();
  markAll();
  testSteps();
  liveTry();
  busyForms();
  dependentParts();
})();
