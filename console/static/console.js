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

  document.documentElement.classList.add("scripted");
  localTimes(document);
  copyButtons();
  testSteps();
  busyForms();
  dependentParts();
})();
