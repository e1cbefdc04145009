import { Argument, type Command } from "commander";
import { type AddCommand, examples } from "../command.ts";
import { type Shell, scriptFor } from "../completion-scripts.ts";

const SHELLS: readonly Shell[] = ["bash", "zsh", "fish"];

export const addCompletion: AddCommand = (program) => {
  const command = program
    .command("completion")
    .description("print a script that completes commands and options in your shell")
    .addArgument(new Argument("<shell>").choices(SHELLS))
    .action((shell: Shell) => {
      process.stdout.write(scriptFor(shell, program.commands.map(wordsOf)));
    });
  examples(command, [
    "completion bash > ~/.local/share/bash-completion/completions/rollcall",
    `completion zsh > "\${fpath[1]}/_rollcall"`,
    "completion fish > ~/.config/fish/completions/rollcall.fish",
  ]);
};

function wordsOf(command: Command) {
  return {
    name: command.name(),
    description: command.description(),
    options: command.options.map((option) => ({
      flag: option.long ?? "",
      description: option.description,
      takesValue: option.required || option.optional,
    })),
  };
}
