
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
