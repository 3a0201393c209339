
// Every page: times in the reader's own time zone. Without scripts they stay in UTC.
const localTimes = (root) => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "local time";
  for (const each of root.querySelectorAll("time[datetime]")) {
    const date = new Date(each.dateTime);
    if (Number.isNaN(date.valueOf())) continue;
    const two = (number) => String(number).padStart(2, "0");
    const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
    each.textContent = `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
    each.title = each.dateTime;
  }
  for (const each of root.querySelectorAll("[data-zone]")) each.textContent = zone;
};
localTimes(document);

// Buttons that copy a text of the page. They are hidden without scripts, and where the browser grants no clipboard.
if (navigator.clipboard) {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    const label = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Not allowed";
      }
      setTimeout(() => { button.textContent = label; }, 2000);
    });
  }
}
