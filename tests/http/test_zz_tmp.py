import asyncio, pytest
from tests import exchange as world
from tests.http.test_clients import NEW


@pytest.mark.parametrize("v", ["0000009001", None])
@pytest.mark.parametrize("n", [2, 6])
async def test_x(database, tmp_path, v, n):
    async with world.running(database, tmp_path) as ex:
        new = NEW.model_copy(update={"v_number": v})
        r = await asyncio.gather(*(ex.ngo.cases.open(new) for _ in range(n)), return_exceptions=True)
        print(v, n, [type(x).__name__ + getattr(x, "slug", "") for x in r])
