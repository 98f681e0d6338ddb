"""NexusHub behind any endpoint that speaks the OpenAI chat API; implements the port ``Assistant``."""

from collections.abc import AsyncGenerator, Sequence

import openai
from openai.types.chat import ChatCompletionMessageParam

from bridge.errors import DependencyDown
from bridge.model.session import Turn


class OpenAiAssistant:
    """A streaming chat model; without a base URL it is not configured and never asked."""

    def __init__(
        self,
        *,
        name: str,
        base_url: str | None,
        api_key: str,
        model: str,
        instructions: str,
        timeout_seconds: float,
        max_tokens: int,
    ) -> None:
        self.name, self.model, self.is_configured = name, model, base_url is not None
        self._instructions, self._max_tokens = instructions, max_tokens
        self._client = openai.AsyncOpenAI(
            base_url=base_url or "http://127.0.0.1:1", api_key=api_key, timeout=timeout_seconds, max_retries=1
        )

    async def answer(self, turns: Sequence[Turn]) -> AsyncGenerator[str, None]:
        """Yield the answer piece by piece; raises DependencyDown when the model is away or fails in the middle."""
        messages: list[ChatCompletionMessageParam] = [{"role": "system", "content": self._instructions}]
        for turn in turns:
            if turn.speaker == "assistant":
                messages.append({"role": "assistant", "content": turn.text})
            else:
                messages.append({"role": "user", "content": turn.text})
        try:
            stream = await self._client.chat.completions.create(
                model=self.model, messages=messages, stream=True, max_tokens=self._max_tokens
            )
            async with stream:
                async for chunk in stream:
                    if chunk.choices and chunk.choices[0].delta.content:
                        yield chunk.choices[0].delta.content
        except (openai.OpenAIError, OSError) as error:
            raise DependencyDown(f"the language model does not answer: {type(error).__name__}") from error

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()
