// rc_genicam_api as a client of the one list: commands come in, one a line, and answers go out.
//
// Built by build_rc_genicam.py. An answer is one line: "ok VALUE" or "no REASON".

#include <rc_genicam_api/buffer.h>
#include <rc_genicam_api/config.h>
#include <rc_genicam_api/device.h>
#include <rc_genicam_api/interface.h>
#include <rc_genicam_api/stream.h>
#include <rc_genicam_api/system.h>

#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace
{

struct Camera
{
  std::shared_ptr<rcg::Device> device;
  std::shared_ptr<rcg::Stream> stream;
  std::shared_ptr<GenApi::CNodeMapRef> nodes;
};

std::map<std::string, Camera> open_cameras;

std::vector<std::shared_ptr<rcg::Device>> all_devices()
{
  std::vector<std::shared_ptr<rcg::Device>> found;
  for (auto &system : rcg::System::getSystems())
  {
    system->open();
    for (auto &interface : system->getInterfaces())
    {
      interface->open();
      for (auto &device : interface->getDevices())
        found.push_back(device);
    }
  }
  return found;
}

std::string hex(const unsigned char *bytes, size_t count)
{
  static const char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * count);
  for (size_t at = 0; at < count; at++)
  {
    text.push_back(digits[bytes[at] >> 4]);
    text.push_back(digits[bytes[at] & 15]);
  }
  return text;
}

std::string shot(Camera &camera, std::istream &names)
{
  const rcg::Buffer *buffer = camera.stream->grab(30000);
  if (!buffer)
    throw std::runtime_error("no frame came");
  std::ostringstream out;
  const size_t part = 0;
  // Without a part of its own the image is all that was filled.
  out << buffer->getFrameID() << ' ' << buffer->getIsIncomplete() << ' ' << buffer->getWidth(part)
      << ' ' << buffer->getHeight(part) << ' '
      << hex(static_cast<const unsigned char *>(buffer->getBase(part)), buffer->getSizeFilled());
  std::string name;
  while (names >> name)
    out << ' ' << name << '=' << rcg::getInteger(camera.nodes, name.c_str(), 0, 0, true);
  return out.str();
}

std::string run(const std::string &line)
{
  std::istringstream in(line);
  std::string verb, id, name, value;
  in >> verb >> id;
  if (verb == "cameras")
  {
    std::ostringstream out;
    for (auto &device : all_devices())
      out << device->getID() << ',' << device->getModel() << ',' << device->getSerialNumber() << ' ';
    return out.str();
  }
  if (verb == "open")
  {
    for (auto &device : all_devices())
    {
      if (device->getID() != id)
        continue;
      device->open(rcg::Device::EXCLUSIVE);
      Camera camera = { device, device->getStreams().at(0), device->getRemoteNodeMap() };
      camera.stream->open();
      camera.stream->attachBuffers(true);
      open_cameras[id] = camera;
      return "";
    }
    throw std::runtime_error("no camera " + id);
  }
  Camera &camera = open_cameras.at(id);
  if (verb == "close")
  {
    camera.stream->close();
    camera.device->close();
    open_cameras.erase(id);
    return "";
  }
  if (verb == "start")
  {
    camera.stream->startStreaming();
    return "";
  }
  if (verb == "stop")
  {
    camera.stream->stopStreaming();
    return "";
  }
  if (verb == "shot")
    return shot(camera, in);
  in >> name;
  if (verb == "get")
    return rcg::getString(camera.nodes, name.c_str(), true, true);
  if (verb == "execute")
  {
    rcg::callCommand(camera.nodes, name.c_str(), true);
    return "";
  }
  std::getline(in >> std::ws, value);
  rcg::setString(camera.nodes, name.c_str(), value.c_str(), true);
  return "";
}

}

int main(int, char *arguments[])
{
  rcg::System::setSystemsPath(arguments[1], 0);
  std::string line;
  while (std::getline(std::cin, line))
  {
    try
    {
      const std::string answer = run(line);
      std::cout << "ok " << answer << std::endl;
    }
    catch (const std::exception &why)
    {
      std::string text = why.what();
      for (char &letter : text)
        letter = letter == '\n' ? ' ' : letter;
      std::cout << "no " << text << std::endl;
    }
  }
  open_cameras.clear();
  rcg::System::clearSystems();
  return 0;
}
