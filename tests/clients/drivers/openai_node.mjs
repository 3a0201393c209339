// What a program does with the OpenAI Node SDK: `node openai_node.mjs URL CASE` prints what came of it as JSON.
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const [baseURL, name] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "sk-local" });
const question = { model: "mom", messages: [{ role: "user", content: "What is the answer?" }] };

const failed = async (ask) => {
  try {
    await ask();
  } catch (error) {
    return { kind: error.constructor.name, status: error.status ?? null, message: error.message, code: error.code };
  }
  throw new Error("it succeeded");
};

const cases = {
  basic: () => client.chat.completions.create(question),

  async stream() {
    const options = { stream: true, stream_options: { include_usage: true } };
    const chunks = [];
    for await (const chunk of await client.chat.completions.create({ ...question, ...options })) chunks.push(chunk);
    return chunks;
  },

  streamHelper: () => client.chat.completions.stream(question).finalChatCompletion(),

  async runTools() {
    const add = {
      type: "function",
      function: {
        name: "add",
        description: "Add two numbers",
        parse: JSON.parse,
        function: ({ a, b }) => String(a + b),
        parameters: {
          type: "object",
          properties: { a: { type: "integer" }, b: { type: "integer" } },
          required: ["a", "b"],
        },
      },
    };
    const runner = client.chat.completions.runTools({ ...question, tools: [add] });
    return { answer: await runner.finalContent(), messages: runner.messages };
  },

  async toolsStream() {
    const tools = [{ type: "function", function: { name: "add", parameters: { type: "object" } } }];
    const completion = await client.chat.completions.stream({ ...question, tools }).finalChatCompletion();
    const { finish_reason, message } = completion.choices[0];
    return { finish_reason, calls: message.tool_calls };
  },

  async parse() {
    const schema = z.object({ steps: z.array(z.string()), value: z.number() });
    const response_format = zodResponseFormat(schema, "answer");
    const completion = await client.chat.completions.parse({ ...question, response_format });
    return completion.choices[0].message.parsed;
  },

  async models() {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    return ids;
  },

  unknownModel: () => failed(() => client.chat.completions.create({ ...question, model: "gpt-9" })),

  outage: () => failed(() => client.chat.completions.create(question)),

  brokenStream: () => failed(() => client.chat.completions.stream(question).finalContent()),
};

console.log(JSON.stringify(await cases[name]()));
